"""A recorded device, in snmpsim's ``.snmprec`` form: OID, tag of BER (``x``: in hexadecimal) and value, by line,
as it is or in bzip2."""

from __future__ import annotations

import bz2
import re
from bisect import bisect_right
from pathlib import Path

from tests.acceptance import ber

_LINE = re.compile(r"\.?(\d+(?:\.\d+)+)\|(\d+)(x?)(?::[^|]*)?\|(.*)", re.DOTALL)


class Recording:
    """The variables of a device, in the order of their names. Where a name was recorded twice, the first is shown."""

    def __init__(self, path: Path) -> None:
        self.name = path.name.partition(".snmprec")[0]
        rows: dict[ber.Oid, bytes] = {}
        content = bz2.decompress(path.read_bytes()) if path.suffix == ".bz2" else path.read_bytes()
        for line in content.decode("latin-1").split("\n"):
            row = _LINE.fullmatch(line.rstrip("\r"))
            encoded = _encoded(int(row[2]), bool(row[3]), row[4]) if row is not None else None
            if row is not None and encoded is not None:
                rows.setdefault(tuple(map(int, row[1].split("."))), encoded)
        self.names = sorted(rows)
        self._rows = rows

    def __len__(self) -> int:
        return len(self.names)

    def has(self, oid: str) -> bool:
        """Whether there is a variable of this name."""
        return tuple(map(int, oid.split("."))) in self._rows

    def get(self, name: ber.Oid) -> bytes:
        """The encoded VarBind of a name."""
        return ber.tlv(ber.SEQUENCE, ber.oid(name) + self._rows.get(name, ber.NO_SUCH_INSTANCE))

    def after(self, name: ber.Oid) -> tuple[ber.Oid, bytes]:
        """The next name and its encoded VarBind; the same name at the end."""
        place = bisect_right(self.names, name)
        if place == len(self.names):
            return name, ber.tlv(ber.SEQUENCE, ber.oid(name) + ber.END_OF_VIEW)
        return self.names[place], self.get(self.names[place])


def _encoded(tag: int, hexadecimal: bool, text: str) -> bytes | None:
    """A value; None where the line is not what its tag says."""
    try:
        if hexadecimal:
            return ber.value(tag, bytes.fromhex(text))
        if tag in (2, 65, 66, 67, 70):
            return ber.value(tag, int(text))
        if tag in (ber.OBJECT, 64):
            return ber.value(tag, text)
        return ber.tlv(tag, text.encode("latin-1"))
    except (ValueError, OSError):
        return None
