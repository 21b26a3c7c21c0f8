"""What does not fit in memory."""
