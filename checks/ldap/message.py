"""The few LDAP messages of a bind and of the look at one entry (RFC 4511), in BER (X.690)."""

from __future__ import annotations

import dataclasses
from typing import Final

BIND, BIND_RESPONSE = 0x60, 0x61
SEARCH, ENTRY, SEARCH_DONE, REFERENCE = 0x63, 0x64, 0x65, 0x73
UNBIND, EXTENDED_RESPONSE = 0x42, 0x78

_BOOLEAN, _INTEGER, _OCTETS, _ENUMERATED, _SEQUENCE = 0x01, 0x02, 0x04, 0x0A, 0x30
_SIMPLE: Final = 0x80  # AuthenticationChoice simple [0]
_PRESENT: Final = 0x87  # Filter present [7]

RESULTS: Final = {
    0: "success",
    1: "operationsError",
    2: "protocolError",
    3: "timeLimitExceeded",
    4: "sizeLimitExceeded",
    7: "authMethodNotSupported",
    8: "strongerAuthRequired",
    10: "referral",
    11: "adminLimitExceeded",
    13: "confidentialityRequired",
    14: "saslBindInProgress",
    32: "noSuchObject",
    34: "invalidDNSyntax",
    48: "inappropriateAuthentication",
    49: "invalidCredentials",
    50: "insufficientAccessRights",
    51: "busy",
    52: "unavailable",
    53: "unwillingToPerform",
    80: "other",
}
"""RFC 4511, appendix A."""


@dataclasses.dataclass(frozen=True)
class Message:
    """A response: its message id, the tag of its operation, and of a result its code and the server's words."""

    id: int
    operation: int
    code: int = 0
    said: str = ""

    @property
    def result(self) -> str:
        """The code by its name: "invalidCredentials (49)"."""
        return f"{RESULTS.get(self.code, 'resultCode')} ({self.code})"


def bind(number: int, name: str, password: str) -> bytes:
    """BindRequest (section 4.2), simple; anonymous when both are empty."""
    return _message(number, BIND, _integer(3) + _element(_OCTETS, name.encode()) + _element(_SIMPLE, password.encode()))


def search(number: int, base: str) -> bytes:
    """SearchRequest (section 4.5.1) for one entry, whatever it is, without its attributes (section 4.5.1.8)."""
    zero = _element(_ENUMERATED, b"\0")  # scope baseObject, then derefAliases never
    content = (
        _element(_OCTETS, base.encode()) + zero + zero + _integer(1) + _integer(0) + _element(_BOOLEAN, b"\0")
        + _element(_PRESENT, b"objectClass") + _element(_SEQUENCE, _element(_OCTETS, b"1.1"))
    )  # fmt: skip
    return _message(number, SEARCH, content)


def unbind(number: int) -> bytes:
    """UnbindRequest (section 4.3)."""
    return _message(number, UNBIND, b"")


def _message(number: int, operation: int, content: bytes) -> bytes:
    return _element(_SEQUENCE, _integer(number) + _element(operation, content))


def _integer(value: int) -> bytes:
    return _element(_INTEGER, value.to_bytes(value.bit_length() // 8 + 1, signed=True))


def _element(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(length))) + length + content


def length_of(first: int) -> int:
    """How many bytes of length follow the first one. Raises ValueError for what LDAP does not use (section 5.1)."""
    if first < 0x80:
        return 0
    if first == 0x80 or first > 0x84:
        raise ValueError(f"a length that begins with {first:#04x}")
    return first & 0x7F


def parse(content: bytes) -> Message:
    """The LDAPMessage in the content of its SEQUENCE. Raises ValueError that says what is wrong."""
    number, rest = _take(content, _INTEGER)
    operation, body, _ = _next(rest)
    found = Message(int.from_bytes(number, signed=True), operation)
    if operation not in (BIND_RESPONSE, SEARCH_DONE, EXTENDED_RESPONSE):
        return found
    code, rest = _take(body, _ENUMERATED)
    _, rest = _take(rest, _OCTETS)  # matchedDN
    said, _ = _take(rest, _OCTETS)
    return dataclasses.replace(found, code=int.from_bytes(code), said=said.rstrip(b"\0").decode(errors="replace"))


def _take(data: bytes, tag: int) -> tuple[bytes, bytes]:
    """The content of the next element, which must have this tag, and what follows."""
    found, content, rest = _next(data)
    if found != tag:
        raise ValueError(f"tag {found:#04x} where {tag:#04x} was expected")
    return content, rest


def _next(data: bytes) -> tuple[int, bytes, bytes]:
    if len(data) < 2:
        raise ValueError("an element that is cut off")
    more = length_of(data[1])
    size = int.from_bytes(data[2 : 2 + more]) if more else data[1]
    begin = 2 + more
    if len(data) < begin + size:
        raise ValueError("an element that is cut off")
    return data[0], data[begin : begin + size], data[begin + size :]
