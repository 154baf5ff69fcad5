"""Debian's prometheus-snmp-exporter as a peer: its module ``if_mib``, and scrapes through it."""

from __future__ import annotations

import contextlib
import json
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from checks.snmp import mib
from tests.checks.snmp.devices import V3
from tests.peers import accepts, free_port, running, which

PROGRAM = "prometheus-snmp-exporter"
TABLES = {"ifTable": "1.3.6.1.2.1.2.2", "ifXTable": "1.3.6.1.2.1.31.1.1"}
COLUMNS = tuple(
    f"{base}.1.{number}"
    for base, last in ((TABLES["ifTable"], 22), (TABLES["ifXTable"], 19))
    for number in range(1, last + 1)
)
"""All that IF-MIB has (RFC 2863)."""
_IF_PHYS_ADDRESS = "1.3.6.1.2.1.2.2.1.6"
_IF_SPECIFIC = "1.3.6.1.2.1.2.2.1.22"


class Exporter(msgspec.Struct, frozen=True):
    """One that runs on loopback."""

    pid: int
    port: int

    def scrape(self, target: str, version: str) -> bytes:
        """What it reads of a device over ``v2c`` or ``v3``. Raises urllib.error.HTTPError when it could not."""
        query = urllib.parse.urlencode({"target": target, "module": version})
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/snmp?{query}", timeout=60) as answer:
            said: bytes = answer.read()
            return said


@contextlib.contextmanager
def exporting(folder: Path, columns: Sequence[str] = COLUMNS) -> Iterator[Exporter]:
    """An exporter of these columns, for the length of a ``with``."""
    config, port = folder / "snmp.yml", free_port()
    config.write_text(_config(columns))
    argv = [which(PROGRAM) or PROGRAM, f"--config.file={config}", f"--web.listen-address=127.0.0.1:{port}"]
    with running(argv, ready=lambda: accepts(port), log=folder / "exporter.log") as process:
        yield Exporter(process.pid, port)


def _config(columns: Sequence[str]) -> str:
    """snmp_exporter's module ``if_mib`` (the Debian package ships none), in v2c and v3; JSON is YAML."""
    index = [{"labelname": "ifIndex", "type": "gauge"}]
    kinds = dict.fromkeys((mib.IF_DESCR, mib.IF_NAME, mib.IF_ALIAS, _IF_SPECIFIC), "DisplayString")
    kinds[_IF_PHYS_ADDRESS] = "PhysAddress48"
    metrics = [
        {
            "name": "oid_" + column.replace(".", "_"),
            "oid": column,
            "type": kinds.get(column, "gauge"),
            "help": column,
            "indexes": index,
        }
        for column in columns
    ]
    module = {"walk": list(TABLES.values()), "metrics": metrics}
    user = {"username": V3["user"], "security_level": "authPriv", "auth_protocol": "SHA256", "priv_protocol": "AES"}
    keys = {"password": V3["auth_key"], "priv_password": V3["priv_key"]}
    return json.dumps(
        {
            "v2c": {**module, "version": 2, "auth": {"community": "public"}},
            "v3": {**module, "version": 3, "auth": {**user, **keys}},
        }
    )
