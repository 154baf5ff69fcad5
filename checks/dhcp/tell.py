"""What was heard, told to people and machines: in clauses, metrics and facts. Pure.

Neither clauses nor facts hold what changes from run to run while the LAN stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from checks.dhcp.answers import Answers, Offer, Offer6, Router
from checks.dhcp.pool import Pool
from checks.model import Metric

MOST_NAMED: Final = 16
"""Of a kind that are named one by one: a flood of made-up servers must not become a flood of series."""

_V6: Final = "IPv6"


def rogues(answers: Answers, permitted: Answers) -> tuple[list[Offer | Offer6], list[Router]]:
    """The servers and the routers that may not be here."""
    servers = [offer for offer in answers.servers if offer not in permitted.servers]
    return servers, [router for router in answers.routers if router not in permitted.routers]


def words_of(one: Offer | Offer6 | Router) -> str:
    """Who says what, in a clause."""
    match one:
        case Offer():
            return f"DHCP server {one.server} ({_from(one.mac, one.after)}): {_said(one)}"
        case Offer6():
            return f"DHCPv6 server {one.source} ({_from(one.mac, one.after)}): {_said(one)}"
        case Router():
            return f"router {one.source} (MAC {one.mac}): {_said(one)}"


def _from(mac: str, after: float | None) -> str:
    return f"MAC {mac}" if after is not None else f"MAC {mac}, overheard"


def _said(one: Offer | Offer6 | Router) -> str:
    match one:
        case Offer():
            relay = [f"relay {one.relay}"] if one.relay else []
            address = f"offers {one.offered}" if int(one.offered.ip) else "offers no address"
            return ", ".join([address, f"router {_list(one.routers)}", f"DNS {_list(one.dns)}", *relay])
        case Offer6():
            what = _list((*one.addresses, *one.prefixes))
            return f"offers {what}, DNS {_list(one.dns)}, DUID {one.server or 'none'}"
        case Router():
            role = "the default router" if one.lifetime else "no default router"
            return f"advertises {_list(one.prefixes)} as {role}, DNS {_list(one.dns)}"


def _list(values: Iterable[object]) -> str:
    return " ".join(map(str, values)) or "none"


def metrics_of(permitted: Answers, answers: Answers, pools: Sequence[Pool]) -> list[Metric]:
    """How many offer, how soon, for how long, and how full the pools are."""
    servers = {offer.server for offer in answers.offers if offer.after is not None}
    servers6 = {offer.source for offer in answers.offers6 if offer.after is not None}
    return [
        Metric("dhcp.servers", float(len(servers)), "1"),
        Metric("dhcp.servers", float(len(servers6)), "1", _V6),
        Metric("dhcp.routers", float(len({router.source for router in answers.routers})), "1", _V6),
        *_times(permitted),
        *(metric for pool in pools for metric in _use(pool)),
    ]


def _times(permitted: Answers) -> Iterator[Metric]:
    """Of each server its first answer: it may come through two relays."""
    seen: set[str] = set()
    for offer in permitted.servers[:MOST_NAMED]:
        name = str(offer.server if isinstance(offer, Offer) else offer.source)
        if offer.after is None or name in seen:
            continue
        seen.add(name)
        yield Metric("dhcp.offer.duration", offer.after, "s", name)
        if offer.lease is not None:
            yield Metric("dhcp.lease.duration", float(offer.lease), "s", name)


def _use(pool: Pool) -> tuple[Metric, ...]:
    return (
        Metric("dhcp.pool.used", float(pool.used), "1", pool.subnet),
        Metric("dhcp.pool.free", float(pool.total - pool.used), "1", pool.subnet),
        Metric("dhcp.pool.total", float(pool.total), "1", pool.subnet),
        Metric("dhcp.pool.utilization", pool.percent, "%", pool.subnet),
    )


def facts_of(permitted: Answers, answers: Answers) -> dict[str, str]:
    """Who offers and advertises, where from, and with what options; of the servers and routers that may not be here
    all that they say."""
    facts: dict[str, str] = {}
    for offer in permitted.offers[:MOST_NAMED]:
        said = {
            "mac": offer.mac,
            "prefix": str(offer.offered.network),
            "router": _list(offer.routers),
            "dns": _list(offer.dns),
            "relay": str(offer.relay or "none"),
        }
        said |= {"circuit": offer.circuit} if offer.circuit else {}
        facts |= {f"server.{offer.server}.{key}": value for key, value in said.items() if offer.after is not None}
    for offer6 in permitted.offers6[:MOST_NAMED]:
        said = {"mac": offer6.mac, "duid": offer6.server, "dns": _list(offer6.dns)}
        facts |= {f"server.{offer6.source}.{key}": value for key, value in said.items()}
    for router in permitted.routers[:MOST_NAMED]:
        facts[f"router.{router.source}"] = f"MAC {router.mac}, {_said(router)}"
    servers, others = rogues(answers, permitted)
    for one in (*servers[:MOST_NAMED], *others[:MOST_NAMED]):
        name, _, rest = words_of(one).partition(" (")
        facts[f"rogue {name}"] = rest.replace("): ", ", ", 1)
    return facts
