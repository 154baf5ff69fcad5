"""Whether a server of mail greets as its protocol wants: SMTP, IMAP and POP3, each a few lines of data."""

from __future__ import annotations

import dataclasses
import functools
import ipaddress
import re
from collections.abc import Sequence
from typing import Final

from checks import tcp
from checks.contract import AnyCheck, Check, Context, Params, Target, host_port
from checks.errors import TargetError
from checks.findings import Finding, conclude, level
from checks.levels import Levels
from checks.model import Metric, Outcome
from checks.net import stream
from checks.net.reach import Family, by_family
from checks.net.stream import Server, Stream


class GreetingParams(Params, frozen=True):
    """With ``tls``, TLS begins at once, on a port of its own; whether a server goes over to TLS later is for the check
    ``tls`` (``starttls``). ``expect`` is a regular expression to find in what the server says, its name or abilities.
    ``levels`` are for the time from the connection to the last answer, in seconds."""

    tls: bool = False
    verify: bool = True
    ca_file: str = ""
    expect: str = ""
    family: Family = "any"
    levels: Levels = Levels()

    def __post_init__(self) -> None:
        tcp.compiled("expect", self.expect)


@dataclasses.dataclass(frozen=True)
class Step:
    """What is said (nothing where the server speaks first), by what the last line of the answer is known, and how a
    good one begins."""

    say: str
    last: re.Pattern[str]
    good: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Dialogue:
    """A protocol: its ports in clear and over TLS, the steps of a first contact, and how one leaves."""

    name: str
    port: int
    tls_port: int
    steps: Sequence[Step]
    leave: str


_CODE: Final = re.compile(r"\d{3}(?!-)")  # the last line of a reply (RFC 5321, section 4.2.1)

_SMTP: Final = Dialogue(
    "smtp",
    25,
    465,
    (Step("", _CODE, ("220",)), Step("EHLO {own}", _CODE, ("250",))),
    "QUIT",
)
"""RFC 5321, sections 3.1 and 4.1.1.1; port 465 by RFC 8314."""

_IMAP: Final = Dialogue(
    "imap",
    143,
    993,
    (
        Step("", re.compile(r"\*"), ("* OK", "* PREAUTH")),
        Step("a1 CAPABILITY", re.compile("a1 "), ("a1 OK",)),
    ),
    "a2 LOGOUT",
)
"""RFC 9051, sections 7.1 and 6.1.1."""

_POP3: Final = Dialogue("pop3", 110, 995, (Step("", re.compile(r"[+-]"), ("+OK",)),), "QUIT")
"""RFC 1939, section 4."""


async def run(dialogue: Dialogue, target: Target, params: GreetingParams, ctx: Context) -> Outcome:
    """Greets the server, and judges its answers."""
    look = functools.partial(_look, dialogue, target, params)
    return await by_family(params.family, target.address, ctx, look)


async def _look(dialogue: Dialogue, target: Target, params: GreetingParams, ctx: Context) -> Outcome:
    host, port = host_port(target.address, dialogue.tls_port if params.tls else dialogue.port)
    context = stream.tls_context(verify=params.verify, ca_file=params.ca_file) if params.tls else None
    async with stream.opened(Server(host, port, context), ctx) as opened:
        begin = ctx.clock.monotonic()
        said = [await _step(step, opened, dialogue, target.address) for step in dialogue.steps]
        seconds = ctx.clock.monotonic() - begin
        opened.writer.write(f"{dialogue.leave}\r\n".encode())
    if params.expect and not re.search(params.expect, "".join(said)):
        raise TargetError("expect", tcp.unexpected(target.address, params.expect, "".join(said)), answered=True)
    slow = Finding(level(ctx.memory, "greeting", seconds, params.levels), "slow", f"greets only after {seconds:.3g} s")
    metrics = (*opened.metrics, Metric(f"{dialogue.name}.greeting.duration", seconds, "s"))
    return conclude(target.address, f"greets as {dialogue.name.upper()} does", [slow], metrics=metrics)


async def _step(step: Step, opened: Stream, dialogue: Dialogue, place: str) -> str:
    """The whole answer to a step. Raises TargetError when it is not a good one."""
    if step.say:
        opened.writer.write(f"{step.say.format(own=_literal(opened.own))}\r\n".encode())
    said, line = "", ""
    while not step.last.match(line):
        line = (await opened.reader.readuntil(b"\n")).decode(errors="replace")
        said += line
        if len(said) > stream.LIMIT:
            break
    if line.startswith(step.good):
        return said
    command = step.say.partition("{")[0].strip()
    when = f"to {command!r}" if command else "in greeting"
    text = f"{place}: says {line.rstrip()[:80]!r} {when} where {step.good[0]!r} was expected of {dialogue.name.upper()}"
    raise TargetError("greeting", text, answered=True)


def _literal(address: str) -> str:
    """An address as EHLO writes it (RFC 5321, section 4.1.3)."""
    found = ipaddress.ip_address(address.partition("%")[0])
    return f"[IPv6:{found}]" if found.version == 6 else f"[{found}]"


def _check(dialogue: Dialogue) -> AnyCheck:
    title = dialogue.name.upper()
    return Check(
        name=dialogue.name,
        about=f"whether a server greets as {title} does",
        target=f"host or host:port, by default {dialogue.port}, with tls {dialogue.tls_port}",
        params=GreetingParams,
        run=functools.partial(run, dialogue),
    )


SMTP: Final = _check(_SMTP)
IMAP: Final = _check(_IMAP)
POP3: Final = _check(_POP3)
