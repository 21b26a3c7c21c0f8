"""The Kafka deployment, against a real Apache Kafka."""
