"""An SSH server on a router, whose login shell is FRR's vtysh: what an operator of a router logs in to."""

from __future__ import annotations

import contextlib
import dataclasses
import grp
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.lab.router import Router
from tests.peers import need, running

_SETTINGS: Final = """\
Port 22
HostKey {folder}/host_key
AuthorizedKeysFile /run/authorized_keys
AddressFamily inet
StrictModes no
UsePAM no
PidFile none
PrintLastLog no
PrintMotd no
"""
# A view of the file system of its own: a user whom the machine does not know, and the folder that sshd(8) insists on.
_OWN_VIEW: Final = """\
set -e
mount --bind "$1/passwd" /etc/passwd
mount --bind "$1/shadow" /etc/shadow
mount --bind "$1/group" /etc/group
mount --bind "$1/pam" /etc/pam.d/frr
mkdir "$1/frr"
mount --bind /run/frr "$1/frr"
mount -t tmpfs tmpfs /run
mkdir /run/frr /run/sshd
mount --bind "$1/frr" /run/frr
install -m 0644 "$1/user_key.pub" /run/authorized_keys
install -m 0755 "$1/shell" /run/vtysh
exec "$2" -D -e -f "$1/sshd_config"
"""


@dataclasses.dataclass(frozen=True)
class Login:
    """How to log in to a router, by password or by key; ``known_hosts`` is a file that names its host key."""

    address: str
    user: str
    password: str
    key: Path
    known_hosts: Path
    port: int = 22


@contextlib.contextmanager
def vtysh_over_ssh(router: Router, folder: Path, password: str, user: str = "operator") -> Iterator[Login]:
    """sshd on a router, with its files in a new folder beneath ``folder``. Its only user may use vtysh and nothing
    else."""
    need("sshd", "ssh-keygen", "openssl")
    own = folder / f"ssh-{router.name}"
    own.mkdir(mode=0o755)
    for name in ("host_key", "user_key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(own / name)], check=True)
    _accounts(router, own, user, password)
    (own / "sshd_config").write_text(_SETTINGS.format(folder=own))
    host_key = (own / "host_key.pub").read_text()
    (own / "known_hosts").write_text(f"{router.node.loopback} {host_key}")
    log = own / "log"
    argv = router.argv("sh", "-c", _OWN_VIEW, "sh", str(own), "/usr/sbin/sshd")
    with running(argv, ready=lambda: "Server listening on 0.0.0.0" in log.read_text(), log=log):
        yield Login(router.node.loopback, user, password, own / "user_key", own / "known_hosts")


def _accounts(router: Router, own: Path, user: str, password: str) -> None:
    """The machine's accounts and one more, whose groups may use vtysh and read its settings."""
    said = subprocess.run(
        ["openssl", "passwd", "-6", "-stdin"], check=True, input=password, text=True, stdout=subprocess.PIPE
    )
    vtysh, settings = (grp.getgrnam(name).gr_gid for name in ("frrvty", "frr"))
    files = {
        "shell": f'#!/bin/sh\nexec vtysh -N {router.name} "$@"\n',
        "passwd": Path("/etc/passwd").read_text() + f"{user}:x:64000:{vtysh}::/:/run/vtysh\n",
        "shadow": f"{user}:{said.stdout.strip()}:20000:0:99999:7:::\n",
        "group": Path("/etc/group").read_text() + f"{user}:x:{settings}:{user}\n",  # one more name for that group
        # vtysh asks PAM about a user who is not root, and complains on his terminal.
        "pam": "auth sufficient pam_permit.so\naccount sufficient pam_permit.so\n",
    }
    for name, text in files.items():
        (own / name).write_text(text)
    (own / "shadow").chmod(0o600)
