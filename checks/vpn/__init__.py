"""A VPN tunnel: what its daemon or router says of it, and whether the office's traffic really passes through it.

The tunnel is read (:mod:`.wireguard`, :mod:`.strongswan`, :mod:`.openvpn`, :mod:`.cisco`, :mod:`.fortigate`), a nonce
is sent through it and must come back (:mod:`.proof`), and where its counters are of the moment it is read again. From
there everything is pure (:mod:`.judge`).
"""
