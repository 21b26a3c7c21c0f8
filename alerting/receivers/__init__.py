"""Receivers of notices, one kind a file."""
