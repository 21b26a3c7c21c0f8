"""What is said: events, charts, alerts, topics, terminology and units. Nothing here does I/O but reading its packaged tables."""
