"""The embedded node: one process, one data folder, no broker; everything durable before it is acknowledged."""
