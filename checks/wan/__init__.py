"""A WAN line as it is now: up or down, quality, load, path, path MTU."""

from checks.wan.check import CHECK
from checks.wan.params import WanParams

__all__ = ["CHECK", "WanParams"]
