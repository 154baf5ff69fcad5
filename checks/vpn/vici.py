"""vici, strongSwan's control protocol, as far as it takes to read (strongSwan's src/libcharon/plugins/vici/README.md).

Our own and not the package ``vici``: that blocks, and would need a thread that no deadline can end.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from checks.contract import Context
from checks.vpn.control import Daemon, dialled

Message = dict[str, Any]
"""By key: text, a list of texts, or a section, which is a Message itself."""

_CMD_REQUEST, _CMD_RESPONSE, _EVENT_REGISTER, _EVENT_CONFIRM, _EVENT = 0, 1, 3, 5, 7
_SECTION_START, _SECTION_END, _KEY_VALUE, _LIST_START, _LIST_ITEM, _LIST_END = range(1, 7)
_MOST_BYTES: Final = 512 << 10
"""Of one packet, as charon itself has it."""
_MOST_PACKETS: Final = 10_000
_DEEPEST: Final = 16


class MalformedError(ValueError):
    """Something that is no vici message. Says what, and at which byte."""


async def listed(path: str, command: str, event: str, ctx: Context) -> list[Message]:
    """What charon lists on a command, one event each. Raises AbsentError and ObserverError as
    :func:`checks.vpn.control.dialled`."""
    charon = Daemon("charon", path)
    async with dialled(charon, ctx) as (reader, writer):
        writer.write(packet(_EVENT_REGISTER, event))
        kind, _ = await _receive(reader, charon)
        if kind != _EVENT_CONFIRM:
            raise charon.trouble(f"knows no event {event!r}: is it strongSwan 5.2 or newer?")
        writer.write(packet(_CMD_REQUEST, command))
        found: list[Message] = []
        while len(found) < _MOST_PACKETS:
            kind, body = await _receive(reader, charon)
            if kind != _EVENT:
                break
            try:
                found.append(decode(body[1 + body[0] :]))
            except (MalformedError, IndexError) as error:
                raise charon.trouble(f"answers unlike vici: {error}") from error
        if kind != _CMD_RESPONSE:
            raise charon.trouble(f"does not end its answer to {command!r} as vici does")
    return found


def packet(kind: int, name: str) -> bytes:
    """A packet of a named type, without a message."""
    body = bytes((kind, len(name))) + name.encode()
    return len(body).to_bytes(4) + body


async def _receive(reader: asyncio.StreamReader, charon: Daemon) -> tuple[int, bytes]:
    """The next packet: its type, and what follows."""
    length = int.from_bytes(await reader.readexactly(4))
    if not 0 < length <= _MOST_BYTES:
        raise charon.trouble(f"announces a packet of {length} bytes: expected 1 to {_MOST_BYTES}")
    body = await reader.readexactly(length)
    return body[0], body[1:]


def decode(data: bytes) -> Message:
    """A message. Raises MalformedError, whatever the bytes are."""
    return _Decoder(data).section(0)


class _Decoder:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def section(self, depth: int) -> Message:
        """What stands up to the section's end; the outermost ends with the message."""
        if depth > _DEEPEST:
            raise self._malformed("sections are nested too deeply")
        found: Message = {}
        while self._at < len(self._data):
            element = self._take(1)[0]
            if element == _SECTION_END and depth:
                return found
            if element not in (_SECTION_START, _KEY_VALUE, _LIST_START):
                raise self._malformed(f"element {element} is not expected here")
            name = self._text(1)
            if element == _SECTION_START:
                found[name] = self.section(depth + 1)
            else:
                found[name] = self._text(2) if element == _KEY_VALUE else self._list()
        if depth:
            raise self._malformed("a section has no end")
        return found

    def _list(self) -> list[str]:
        items = []
        while (element := self._take(1)[0]) == _LIST_ITEM:
            items.append(self._text(2))
        if element != _LIST_END:
            raise self._malformed(f"element {element} stands in a list")
        return items

    def _text(self, width: int) -> str:
        """A text behind its length of so many bytes."""
        return self._take(int.from_bytes(self._take(width))).decode(errors="replace")

    def _take(self, count: int) -> bytes:
        taken = self._data[self._at : self._at + count]
        if len(taken) < count:
            raise self._malformed("it ends too soon")
        self._at += count
        return taken

    def _malformed(self, what: str) -> MalformedError:
        return MalformedError(f"at byte {self._at}: {what}")
