"""Bytes to events, or a named refusal: one file a format."""
