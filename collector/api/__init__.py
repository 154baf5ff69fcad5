"""HTTP: what agents send, what people and scripts read."""
