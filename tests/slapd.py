"""Debian's slapd on loopback with one entry, for tests."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from tests.lab.netns import Namespace
from tests.listening import listens
from tests.peers import need, running, which
from tests.pki import Issued

BASE, USER, PASSWORD = "dc=bk,dc=vn", "cn=monitor,dc=bk,dc=vn", "s3cret"

_CONFIGURATION = f"""
include /etc/ldap/schema/core.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {{folder}}/slapd.pid
TLSCertificateFile {{certificate}}
TLSCertificateKeyFile {{key}}
database mdb
suffix {BASE}
directory {{folder}}/slapd
rootdn {USER}
rootpw {PASSWORD}
"""
_ENTRY = f"""
dn: {BASE}
objectClass: dcObject
objectClass: organization
dc: bk
o: Bac Kan
"""


@contextlib.contextmanager
def slapd(folder: Path, urls: Sequence[str], issued: Issued, inside: Namespace | None = None) -> Iterator[None]:
    """slapd with the entry BASE, which all may read, at these URLs with their ports, until the end of the
    ``with``. Skips the test without it."""
    need("slapd", "slapadd")
    certificate, key = issued.write(folder, "slapd")
    configuration, entry = folder / "slapd.conf", folder / "slapd.ldif"
    configuration.write_text(_CONFIGURATION.format(folder=folder, certificate=certificate, key=key))
    entry.write_text(_ENTRY)
    (folder / "slapd").mkdir()
    add = [which("slapadd") or "slapadd", "-f", str(configuration), "-l", str(entry)]
    subprocess.run(add, check=True, capture_output=True)
    argv = [which("slapd") or "slapd", "-f", str(configuration), "-h", " ".join(urls), "-d", "0"]
    argv = inside.argv(*argv) if inside else argv
    ports = [urlsplit(url).port or 389 for url in urls]
    with running(argv, ready=lambda: all(listens(port, inside) for port in ports), log=folder / "slapd.log"):
        yield
