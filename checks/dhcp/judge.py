"""Answers and expectations to an outcome. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from checks.dhcp.answers import Answers, Offer, Offer6
from checks.dhcp.expect import compare, compare6, compare_router
from checks.dhcp.params import DhcpParams
from checks.dhcp.pool import Pool, Pools
from checks.dhcp.tell import MOST_NAMED, facts_of, metrics_of, rogues, words_of
from checks.findings import Finding, conclude, level
from checks.levels import Levels
from checks.model import Outcome, State


def judge(interface: str, answers: Answers, pools: Pools, params: DhcpParams, memory: dict[str, Any]) -> Outcome:
    """The outcome of what was heard on an interface; ``memory`` is the job's, for the hysteresis of levels. The target
    counts as having answered when a server did that may."""
    offers = [offer for offer in answers.offers if params.expect.permits(offer)]
    offers6 = [offer for offer in answers.offers6 if params.expect6.permits(offer)]
    routers = [router for router in answers.routers if params.expect6.permits_router(router)]
    permitted = Answers(tuple(offers), tuple(offers6), tuple(routers))
    findings = [
        *_rogues(answers, permitted),
        *(_pool(pool, params.pool, memory) for pool in pools.known),
        *_silence(offers, offers6, params),
        *(finding for offer in offers if offer.after is not None for finding in compare(offer, params.expect)),
        *(finding for one in offers6 if one.after is not None for finding in compare6(one, params.expect6)),
        *(finding for router in routers for finding in compare_router(router, params.expect6)),
        *_slow(offers, params.offer_time, memory),
        *pools.troubles,
    ]
    if answers.dropped:
        text = f"a flood: {answers.dropped} more frames of DHCP or router advertisements were not looked at"
        findings.append(Finding(State.WARN, "flood", text))
    outcome = conclude(
        interface,
        _well(offers, offers6),
        findings,
        metrics=metrics_of(permitted, answers, pools.known),
        facts=facts_of(permitted, answers),
    )
    heard = any(offer.after is not None for offer in permitted.servers)
    return outcome if heard else msgspec.structs.replace(outcome, answered=False)


def _well(offers: Sequence[Offer], offers6: Sequence[Offer6]) -> str:
    """Who offers."""
    who = sorted({str(offer.server) for offer in offers} | {str(offer.source) for offer in offers6})
    if not who:
        return "nobody offers addresses, and nobody has to"
    more = f" and {len(who) - MOST_NAMED} more" if len(who) > MOST_NAMED else ""
    return f"addresses are offered by {', '.join(who[:MOST_NAMED])}{more}"


def _rogues(answers: Answers, permitted: Answers) -> list[Finding]:
    """A finding for each server and router that may not be here."""
    servers, routers = rogues(answers, permitted)
    found = [Finding(State.CRIT, "rogue-server", f"rogue {words_of(one)}") for one in servers[:MOST_NAMED]]
    found += [Finding(State.CRIT, "rogue-router", f"rogue {words_of(one)}") for one in routers[:MOST_NAMED]]
    for more, reason in ((len(servers) - MOST_NAMED, "rogue-server"), (len(routers) - MOST_NAMED, "rogue-router")):
        if more > 0:
            found.append(Finding(State.CRIT, reason, f"and {more} more like it"))
    return found


def _silence(offers: Sequence[Offer], offers6: Sequence[Offer6], params: DhcpParams) -> list[Finding]:
    """IPv4 is silent unless none is expected; IPv6 only where servers are named."""
    found = []
    if params.ipv4 and params.expect.servers != () and not any(offer.after is not None for offer in offers):
        found.append(_nobody("DHCP", params.expect.servers, params.window))
    if params.ipv6 and params.expect6.servers and not any(offer.after is not None for offer in offers6):
        found.append(_nobody("DHCPv6", params.expect6.servers, params.window))
    return found


def _nobody(protocol: str, servers: Sequence[str] | None, window: float) -> Finding:
    who = f"none of the expected {protocol} servers ({', '.join(servers)})" if servers else f"no {protocol} server"
    return Finding(State.CRIT, "no-offer", f"{who} offers an address within {window:g} s")


def _pool(pool: Pool, levels: Levels, memory: dict[str, Any]) -> Finding:
    state = level(memory, f"pool.{pool.subnet}", pool.percent, levels)
    text = f"{pool.used} of {pool.total} {pool.gives} of subnet {pool.subnet} are leased"
    return Finding(state, "pool-exhausted" if pool.full else "pool", text)


def _slow(offers: Sequence[Offer], levels: Levels, memory: dict[str, Any]) -> list[Finding]:
    """A client takes the first offer that comes."""
    first = min((offer.after for offer in offers if offer.after is not None), default=None)
    if first is None:
        return []
    return [Finding(level(memory, "offer", first, levels), "slow", f"the first offer takes {first:.3g} s")]
