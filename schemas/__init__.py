"""What is said: events, charts, alerts, terminology and units; no I/O but reading the packaged tables."""
