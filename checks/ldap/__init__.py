"""A bind to an LDAP directory, and a look at one of its entries."""
