"""Routers, switches and servers over SNMP: are they there, since when, and what flows through their interfaces."""

from checks.snmp.check import CHECK, SnmpParams

__all__ = ["CHECK", "SnmpParams"]
