"""Delivery as decisions: which notices a receiver gets, in which order, and when it is tried again."""
