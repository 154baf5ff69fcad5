"""Finding devices that no topology names yet: prefixes → hosts that answer echo → devices that answer SNMP → entries.

Nothing here runs by itself: a person names the prefixes, and nobody else is asked.
"""
