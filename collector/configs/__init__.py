"""Configurations of devices at the centre: their history, which version is approved, and what changed without."""
