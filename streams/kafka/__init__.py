"""The Kafka deployment: gateway, worker, notify and console on the same monitor as the node."""
