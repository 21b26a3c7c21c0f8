"""Whether to tell, whom and how: rule pack, rules, lifecycle."""
