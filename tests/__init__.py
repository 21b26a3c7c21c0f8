"""The tests: laws, stories, boundaries, third-party input, and the house itself."""
