"""The laws of the service, under Hypothesis."""
