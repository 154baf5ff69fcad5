"""From a check's parameters to the way to talk to one device."""

from __future__ import annotations

import math

from checks.contract import Context, host_port
from checks.snmp.params import SnmpParams
from checks.snmp.reader import Access

PORT = 161


async def access_of(target: str, params: SnmpParams, ctx: Context, left: float) -> Access:
    """How to talk to the device at a host or host:port, with all tries of a request within ``left`` seconds, so that it
    ends with SNMP's own reason and not at a deadline. Raises ObserverError, or TargetError when there is no such name.
    """
    host, port = host_port(target, PORT)
    address = (await ctx.resolve(host))[0]
    return Access(
        host=host,
        address=str(address),
        port=port,
        version=params.version,
        community=params.community,
        user=params.user,
        auth=params.auth,
        auth_key=params.auth_key,
        priv=params.priv,
        priv_key=params.priv_key,
        timeout=_rounded(min(params.timeout, left / (params.retries + 1))),
        retries=params.retries,
        max_repetitions=params.max_repetitions,
        max_varbinds=params.max_varbinds,
    )


def _rounded(timeout: float) -> float:
    """Down to a multiple of 50 ms, so that a session is kept although the time that is left is never quite the same;
    of less than that, of 10."""
    steps = 20 if timeout >= 0.05 else 100
    return max(0.01, math.floor(timeout * steps) / steps)
