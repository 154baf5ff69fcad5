"""The far ends that a demonstration lacks. Whatever is simulated says so in its own answers (sysDescr)."""
