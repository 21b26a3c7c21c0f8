"""The embedded node and its edges."""
