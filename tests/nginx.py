"""Debian's nginx on loopback, for tests."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.lab.netns import Namespace
from tests.peers import accepts, need, running, which

_CONFIGURATION = """
daemon off; master_process off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
  access_log off; client_body_temp_path {folder}/t; proxy_temp_path {folder}/t; fastcgi_temp_path {folder}/t;
  uwsgi_temp_path {folder}/t; scgi_temp_path {folder}/t;
  {servers}
}}
"""


@contextlib.contextmanager
def nginx(
    folder: Path, servers: Sequence[str], ports: Sequence[int] = (), inside: Namespace | None = None
) -> Iterator[None]:
    """nginx with these server blocks, until the end of the ``with``: on loopback, where it accepts on these ports when
    it is ready, or ``inside`` a namespace. Skips the test without nginx."""
    need("nginx")
    configuration = folder / "nginx.conf"
    configuration.write_text(_CONFIGURATION.format(folder=folder, servers="\n".join(servers)))
    log = folder / "error.log"
    argv = [which("nginx") or "nginx", "-e", str(log), "-p", str(folder), "-c", str(configuration)]
    argv = inside.argv(*argv) if inside else argv
    ready = (folder / "pid").exists  # written when it listens
    with running(argv, ready=lambda: ready() and all(accepts(port) for port in ports), log=log):
        yield
