"""Debian's unbound on loopback, for tests."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.lab.netns import Namespace
from tests.listening import listens
from tests.peers import need, running, which

_CONFIGURATION = """
server:
  directory: "{folder}"
  chroot: ""
  username: ""
  pidfile: "{folder}/unbound.pid"
  use-syslog: no
  do-daemonize: no
  port: {port}
{interfaces}
  ede: yes
  trust-anchor-file: "{folder}/anchors"
remote-control:
  control-enable: no
"""
_ZONE = """
auth-zone:
  name: "{zone}"
  zonefile: "{zone}"
  {not_for}: no
"""


@contextlib.contextmanager
def unbound(
    folder: Path,
    port: int,
    *,
    own: Sequence[str] = (),
    resolved: Sequence[str] = (),
    addresses: Sequence[str] = ("127.0.0.1",),
    inside: Namespace | None = None,
) -> Iterator[None]:
    """unbound with the zones that lie in the folder as files of their names, until the end of the ``with``. Of its
    ``own`` it is the authority; the ``resolved`` it treats as if they came from another server, and validates by the
    digests of keys in the file ``anchors``. Skips the test without it."""
    need("unbound")
    (folder / "anchors").touch()
    interfaces = "\n".join(f"  interface: {address}" for address in addresses)
    zones = [_ZONE.format(zone=zone, not_for="for-upstream") for zone in own]
    zones += [_ZONE.format(zone=zone, not_for="for-downstream") for zone in resolved]
    configuration, log = folder / "unbound.conf", folder / "unbound.log"
    text = _CONFIGURATION.format(folder=folder, port=port, interfaces=interfaces)
    configuration.write_text(text + "".join(zones))
    argv = [which("unbound") or "unbound", "-d", "-c", str(configuration)]
    argv = inside.argv(*argv) if inside else argv
    with running(argv, ready=lambda: listens(port, inside), log=log):
        yield
