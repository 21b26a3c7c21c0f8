"""A fortnight of an invented hospital: what is told of it, to whom and why. Nobody in it is a real person."""
