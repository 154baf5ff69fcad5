"""A tunnel and a proof to a verdict, and that to an outcome. Pure.

=========  ==========  ===========================================================================
came back  negotiated  verdict
=========  ==========  ===========================================================================
yes        either      proven when the tunnel carried at least that, leaking when it carried less;
                       where that cannot be told:
yes        yes         proven
yes        no          leaking
no         yes         negotiated only
no         no          down
=========  ==========  ===========================================================================
"""

from __future__ import annotations

import dataclasses
import statistics
from typing import Any

from checks.model import Metric, Outcome, State
from checks.vpn.proof import Proof
from checks.vpn.tunnel import Count, Tunnel


@dataclasses.dataclass(frozen=True)
class Seen:
    """A run: the tunnel as it was read behind the proof, ``at`` monotonic s; what it ``carried`` meanwhile, None where
    that cannot be told; and the hop of the path, if any, that is ``outside``."""

    tunnel: Tunnel
    proof: Proof
    at: float
    carried: Count | None = None
    outside: str = ""


def judge(name: str, seen: Seen, memory: dict[str, Any]) -> Outcome:
    """The outcome of a run. ``memory`` is the job's: the reading before, and the rekeys seen."""
    tunnel, proof = seen.tunnel, seen.proof
    if proof.passed and not tunnel.known:
        summary = (
            f"{name}: {proof.whom} answers, but {tunnel.said}: correct target or socket; "
            "if they are right, traffic goes round the tunnel"
        )
        return Outcome(State.UNKNOWN, summary, "no-daemon", answered=True, metrics=_proof_metrics(proof))
    metrics = (*_proof_metrics(proof), *_tunnel_metrics(seen, memory))
    verdict, state, reason, said = _verdict(seen)
    facts = {"verdict": verdict} | {key: value for key, value in tunnel.facts.items() if value}
    return Outcome(state, f"{name}: {verdict}: {said}", reason, answered=proof.passed, metrics=metrics, facts=facts)


def _verdict(seen: Seen) -> tuple[str, State, str, str]:
    """The verdict, its state and reason, and what to say of it."""
    tunnel, proof = seen.tunnel, seen.proof
    if not proof.passed:
        nothing = f"none of {proof.sent} packets to {proof.whom} came back"
        because = f" ({proof.refusal})" if proof.refusal else ""
        if tunnel.up:
            return "negotiated only", State.CRIT, "no-traffic", f"{tunnel.said}, but {nothing}{because}"
        return "down", State.CRIT, "tunnel-down", f"{tunnel.said}; {nothing}{because}"
    came = f"{len(proof.times)} of {proof.sent} packets to {proof.whom} came back"
    round_it = _round_it(seen)
    if round_it:
        return "leaking", State.CRIT, "leaking", f"{came}{round_it}"
    return "proven", State.OK, "", f"{proof.whom} answers through the tunnel to {tunnel.peer}"


def _round_it(seen: Seen) -> str:
    """What shows that traffic goes round the tunnel; empty when nothing does. What the tunnel carried says more than
    what its daemon thinks of the keys."""
    if seen.outside:
        return f" by way of {seen.outside}, which is outside the tunnel"
    if seen.carried is None:
        return "" if seen.tunnel.up else f" outside the tunnel: {seen.tunnel.said}"
    least = len(seen.proof.times) * seen.proof.size
    received, sent = seen.carried.received, seen.carried.sent
    if min(received, sent) >= least:
        return ""
    return f", {least} bytes each way, and the tunnel carried {sent} there and {received} back: the route goes round it"


def _proof_metrics(proof: Proof) -> tuple[Metric, ...]:
    loss = Metric("vpn.loss", proof.loss, "%")
    return (loss, Metric("vpn.rtt", statistics.median(proof.times), "s")) if proof.passed else (loss,)


def _tunnel_metrics(seen: Seen, memory: dict[str, Any]) -> list[Metric]:
    tunnel = seen.tunnel
    metrics = [Metric("vpn.up", float(tunnel.up), "1"), Metric("vpn.rekeys", _rekeys(tunnel, memory), "1")]
    if tunnel.age is not None:
        metrics.append(Metric("vpn.age", tunnel.age, "s"))
    if tunnel.counts:
        metrics.append(Metric("vpn.received", tunnel.total.received, "By"))
        metrics.append(Metric("vpn.sent", tunnel.total.sent, "By"))
    return [*metrics, *_rates(seen, memory)]


def _rates(seen: Seen, memory: dict[str, Any]) -> list[Metric]:
    """What the tunnel carried in a second since the run before."""
    before: Seen | None = memory.get("seen")
    memory["seen"] = seen
    grown = seen.tunnel.grown_since(before.tunnel) if before else None
    if before is None or grown is None or seen.at <= before.at:
        return []
    seconds = seen.at - before.at
    return [
        Metric("vpn.io.receive", grown.received * 8 / seconds, "bit/s"),
        Metric("vpn.io.transmit", grown.sent * 8 / seconds, "bit/s"),
    ]


def _rekeys(tunnel: Tunnel, memory: dict[str, Any]) -> float:
    """How often the keys were seen to change since the agent began this job."""
    if tunnel.keys and tunnel.keys != memory.get("keys"):
        memory["rekeys"] = memory.get("rekeys", -1) + 1
        memory["keys"] = tunnel.keys
    return float(max(memory.get("rekeys", 0), 0))
