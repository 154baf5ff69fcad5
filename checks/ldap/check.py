"""The check ``ldap``: whether a directory lets one in, and holds an entry."""

from __future__ import annotations

import functools
from typing import Final, Literal

from checks.contract import Check, Context, Params, Secret, Target, host_port
from checks.errors import CheckError, ObserverError, TargetError
from checks.findings import Finding, conclude, level
from checks.ldap import message
from checks.ldap.message import Message
from checks.levels import Levels
from checks.model import Metric, Outcome
from checks.net import stream
from checks.net.reach import Family, by_family
from checks.net.stream import Server, Stream

_PORT, _TLS_PORT = 389, 636
_NOT_LET_IN: Final = (7, 8, 13, 34, 48, 49, 50, 53)
"""Result codes of a directory that is well and does not take our credentials, or wants some, or TLS: what is to be
corrected is the topology, or the account."""

_NO_SUCH_OBJECT: Final = 32


class LdapParams(Params, frozen=True):
    """``bind_dn`` and its ``password`` are for a simple bind; without, it is anonymous. A password goes over TLS alone:
    from the first byte (``implicit``, port 636) or after StartTLS. ``base`` is the DN of an entry that must be there,
    so that the directory shows that it has its data. ``levels`` are for the time of all answers in seconds."""

    bind_dn: str = ""
    password: Secret = ""
    base: str = ""
    tls: Literal["", "implicit", "starttls"] = ""
    verify: bool = True
    ca_file: str = ""
    family: Family = "any"
    levels: Levels = Levels()

    def __post_init__(self) -> None:
        if bool(self.bind_dn) != bool(self.password):
            raise ValueError("bind_dn and password: expected both, or none for an anonymous bind")
        if self.password and not self.tls:
            raise ValueError("password: would cross the network in clear: set tls to starttls or implicit")


async def run(target: Target, params: LdapParams, ctx: Context) -> Outcome:
    """Binds, looks for the entry, and judges the answers."""
    return await by_family(params.family, target.address, ctx, functools.partial(_look, target, params))


async def _look(target: Target, params: LdapParams, ctx: Context) -> Outcome:
    host, port = host_port(target.address, _TLS_PORT if params.tls == "implicit" else _PORT)
    context = stream.tls_context(verify=params.verify, ca_file=params.ca_file) if params.tls else None
    server = Server(host, port, context, "ldap" if params.tls == "starttls" else "")
    async with stream.opened(server, ctx) as opened:
        begin = ctx.clock.monotonic()
        await _bind(opened, params, target.address)
        bound = ctx.clock.monotonic() - begin
        if params.base:
            await _entry(opened, params.base, target.address)
        seconds = ctx.clock.monotonic() - begin
        opened.writer.write(message.unbind(3))
    metrics = (*opened.metrics, Metric("ldap.bind.duration", bound, "s"), Metric("ldap.duration", seconds, "s"))
    slow = Finding(level(ctx.memory, "ldap", seconds, params.levels), "slow", f"answers only after {seconds:.3g} s")
    well = f"lets {'us' if params.bind_dn else 'anybody'} in{', and holds the entry' if params.base else ''}"
    return conclude(target.address, well, [slow], metrics=metrics)


async def _bind(opened: Stream, params: LdapParams, place: str) -> None:
    opened.writer.write(message.bind(1, params.bind_dn, params.password))
    answer = await _read(opened, place)
    _expect(answer, 1, message.BIND_RESPONSE, place)
    if answer.code:
        raise _refused(answer, place, "does not let us in")


async def _entry(opened: Stream, base: str, place: str) -> None:
    opened.writer.write(message.search(2, base))
    found = False
    while (answer := await _read(opened, place)).operation in (message.ENTRY, message.REFERENCE):
        found = found or answer.operation == message.ENTRY
    _expect(answer, 2, message.SEARCH_DONE, place)
    if answer.code == _NO_SUCH_OBJECT or not (answer.code or found):
        raise TargetError("no-entry", f"{place}: has no entry {base!r} to show", answered=True)
    if answer.code:
        raise _refused(answer, place, f"does not show the entry {base!r}")


def _expect(answer: Message, number: int, operation: int, place: str) -> None:
    """Raises TargetError when an answer is to something else: such as a notice of disconnection, section 4.4.1."""
    if (answer.id, answer.operation) == (number, operation):
        return
    if answer.id == 0 and answer.operation == message.EXTENDED_RESPONSE:
        raise TargetError("ldap", f"{place}: ends the connection: {_words(answer)}", answered=True)
    raise TargetError("protocol", f"{place}: answers what was not asked: {answer.operation:#04x}", answered=True)


def _refused(answer: Message, place: str, what: str) -> CheckError:
    text = f"{place}: {what}: {_words(answer)}"
    if answer.code in _NOT_LET_IN:
        return ObserverError("not-let-in", text, answered=True)
    return TargetError("ldap", text, answered=True)


def _words(answer: Message) -> str:
    return answer.result + (f": {answer.said[:80]}" if answer.said else "")


async def _read(opened: Stream, place: str) -> Message:
    """The next message. Raises TargetError when it is no LDAP."""
    try:
        return message.parse(await _content(opened))
    except ValueError as error:
        raise TargetError("protocol", f"{place}: what answers does not speak LDAP: {error}", answered=True) from error


async def _content(opened: Stream) -> bytes:
    tag, first = await opened.reader.readexactly(2)
    if tag != 0x30:
        raise ValueError(f"tag {tag:#04x} where 0x30 was expected")
    more = message.length_of(first)
    size = int.from_bytes(await opened.reader.readexactly(more)) if more else first
    if size > stream.LIMIT:
        raise ValueError(f"a message of {size} bytes")
    return await opened.reader.readexactly(size)


CHECK = Check(
    name="ldap",
    about="whether a directory lets one in, anonymously or by a simple bind, and holds an entry",
    target=f"host or host:port, by default {_PORT}, with implicit TLS {_TLS_PORT}",
    params=LdapParams,
    run=run,
)
