"""Domain names: as people write them, and on the wire (RFC 1035, sections 3.1 and 4.1.4)."""

from __future__ import annotations

import re
from typing import Final

_MOST: Final = 255
"""Bytes of a name on the wire (RFC 1035, section 2.3.4)."""

_LABEL: Final = re.compile(r"((?:\\\d{3}|\\[^\d]|[^.\\])+)(?:\.|\Z)")
_ESCAPE: Final = re.compile(r"\\(\d{3}|.)", re.DOTALL)
_PLAIN: Final = frozenset(b"-_*/+0123456789abcdefghijklmnopqrstuvwxyz")


def to_wire(text: str) -> bytes:
    r"""A name of labels and dots, with or without the last dot, as bytes. ``\.`` is a dot within a label, ``\DDD`` any
    byte (RFC 1035, section 5.1); letters outside ASCII become IDNA. Raises ValueError that names it."""
    wire = bytearray()
    rest = text.removesuffix(".") if not text.endswith("\\.") else text
    while rest:
        match = _LABEL.match(rest)
        if match is None:
            raise ValueError(f"{text!r}: expected a domain name such as portal.example.vn")
        rest = rest[match.end() :]
        label = _label(match[1], text)
        if len(label) > 63:
            raise ValueError(f"{text!r}: expected labels of at most 63 bytes")
        wire += bytes((len(label),)) + label
    if len(wire) + 1 > _MOST:
        raise ValueError(f"{text!r}: expected a domain name of at most {_MOST} bytes")
    return bytes(wire) + b"\0"


def _label(written: str, name: str) -> bytes:
    if not written.isascii():
        try:
            return written.encode("idna")
        except UnicodeError as error:
            raise ValueError(f"{name!r}: not a domain name: {error}") from error
    try:
        return _ESCAPE.sub(lambda m: chr(int(m[1])) if m[1].isdigit() else m[1], written).encode("latin-1")
    except UnicodeEncodeError as error:
        raise ValueError(f"{name!r}: an escape is at most \\255") from error


def read(message: bytes, at: int) -> tuple[str, int]:
    """The name at a place of a message, and the place behind it: in lower case, without the last dot; the root is a
    dot. Pointers lead backwards only, so that no message makes us run in circles. Raises ValueError."""
    labels: list[str] = []
    behind, floor, size = 0, at, 1
    while True:
        length = message[at]
        if length >= 0xC0:
            target = (length & 0x3F) << 8 | message[at + 1]
            if target >= floor:
                raise ValueError("a compressed name that does not point backwards")
            behind = behind or at + 2
            at = floor = target
        elif length >= 0x40:
            raise ValueError(f"a label of unknown kind {length:#04x}")
        elif length == 0:
            return ".".join(labels) or ".", behind or at + 1
        else:
            label = message[at + 1 : at + 1 + length]
            size += length + 1
            if len(label) < length or size > _MOST:
                raise ValueError("a name that is cut off or too long")
            labels.append(_shown(label))
            at += 1 + length


def _shown(label: bytes) -> str:
    lower = label.lower()
    if _PLAIN.issuperset(lower):
        return lower.decode()
    return "".join(
        chr(byte) if byte in _PLAIN else f"\\{chr(byte)}" if 0x21 <= byte < 0x7F else f"\\{byte:03d}" for byte in lower
    )
