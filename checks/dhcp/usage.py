"""Asks every server that the parameters name how full its pools are. One that does not say leaves the rest standing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Final

import msgspec

from checks.contract import Context
from checks.dhcp import kea, mib
from checks.dhcp.params import DhcpParams, SnmpPools
from checks.dhcp.pool import Pool, Pools
from checks.errors import CheckError
from checks.findings import Finding
from checks.model import State
from checks.snmp.access import access_of
from checks.snmp.gufo_reader import GufoReader

_SHARE: Final = 0.8
"""The part of the time that one request with both its tries may take, so that it ends with SNMP's own reason."""


def is_asked(params: DhcpParams) -> bool:
    """Whether anybody is to be asked."""
    return bool(params.kea_socket or params.kea6_socket or params.pools)


async def read(params: DhcpParams, ctx: Context, limit: float) -> Pools:
    """The pools of all, asked at the same time, within ``limit`` s. Raises nothing of its own: a server that does not
    say is a trouble in the result, since pools are not what the check is about."""
    asked: list[Awaitable[Pools]] = []
    if params.kea_socket:
        asked.append(_told("kea", f"Kea at {params.kea_socket}", kea.read(params.kea_socket, 4), limit))
    if params.kea6_socket:
        asked.append(_told("kea", f"Kea at {params.kea6_socket}", kea.read(params.kea6_socket, 6), limit))
    if params.pools:
        asked.append(_told("snmp", params.pools.address, _over_snmp(params.pools, ctx, limit), limit))
    answers = await asyncio.gather(*asked)
    return Pools(
        [pool for answer in answers for pool in answer.known],
        [trouble for answer in answers for trouble in answer.troubles],
    )


async def _told(reason: str, whom: str, reading: Awaitable[Sequence[Pool]], limit: float) -> Pools:
    try:
        async with asyncio.timeout(limit):
            return Pools(await reading)
    except TimeoutError:
        why = f"{whom} does not tell its pools within {limit:.3g} s"
    except CheckError as error:
        why = error.summary
    return Pools(troubles=[Finding(State.UNKNOWN, reason, why)])


async def _over_snmp(asked: SnmpPools, ctx: Context, limit: float) -> Sequence[Pool]:
    snmp = msgspec.structs.replace(asked.snmp, timeout=limit, retries=1)
    access = await access_of(asked.address, snmp, ctx, _SHARE * limit)
    pools = await mib.read(GufoReader(access, ctx.clock), access.where)
    return [pool for pool in pools if not asked.only or pool.subnet in asked.only]
