"""How checks talk to the network: addresses tried in turn, UDP, TLS and ICMP with what the kernel knows of a packet."""
