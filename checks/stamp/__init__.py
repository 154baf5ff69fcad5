"""Link quality and life by one packet a time: STAMP, the Simple Two-Way Active Measurement Protocol (RFC 8762)."""

from checks.stamp.check import CHECK, StampParams

__all__ = ["CHECK", "StampParams"]
