"""What numbers with units are worth: packaged pairs of (name, unit) with exact factors, and published limits."""
