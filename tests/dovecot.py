"""Debian's dovecot on loopback, for tests: IMAP and POP3 in clear and over TLS, and SMTP submission."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.lab.netns import Namespace
from tests.listening import listens
from tests.peers import free_port, need, running, which
from tests.pki import Issued

_CONFIGURATION = """
base_dir = {folder}/dovecot
log_path = {folder}/dovecot.log
protocols = imap pop3 submission
listen = {listen}
ssl = yes
ssl_cert = <{certificate}
ssl_key = <{key}
submission_relay_host = 127.0.0.1
passdb {{
  driver = static
  args = nopassword=y
}}
"""
_SERVICE = """
service {service}-login {{
  inet_listener {service} {{
    port = {clear}
  }}
  inet_listener {service}s {{
    port = {tls}
    ssl = yes
  }}
}}
"""


@dataclasses.dataclass(frozen=True)
class Dovecot:
    """The ports of a dovecot by protocol, in clear and over TLS."""

    clear: dict[str, int]
    tls: dict[str, int]


@contextlib.contextmanager
def dovecot(issued: Issued, *, listen: str = "127.0.0.1", inside: Namespace | None = None) -> Iterator[Dovecot]:
    """dovecot with this certificate at these addresses, until the end of the ``with``. Skips the test without dovecot
    and root."""
    need("dovecot", root=True)
    with tempfile.TemporaryDirectory(prefix="dovecot-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # it works as several users
        certificate, key = issued.write(folder, "dovecot")
        services = {"imap": "imap", "pop3": "pop3", "smtp": "submission"}
        ports = Dovecot({name: free_port() for name in services}, {name: free_port() for name in services})
        configuration, log = folder / "dovecot.conf", folder / "dovecot.log"
        configuration.write_text(
            _CONFIGURATION.format(folder=folder, certificate=certificate, key=key, listen=listen)
            + "".join(
                _SERVICE.format(service=service, clear=ports.clear[name], tls=ports.tls[name])
                for name, service in services.items()
            )
        )
        every = [*ports.clear.values(), *ports.tls.values()]
        argv = [which("dovecot") or "dovecot", "-F", "-c", str(configuration)]
        argv = inside.argv(*argv) if inside else argv
        with running(argv, ready=lambda: all(listens(port, inside) for port in every), log=log):
            yield ports
