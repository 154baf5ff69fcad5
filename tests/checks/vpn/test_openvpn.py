from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from checks.contract import Context, SystemClock, Target
from checks.errors import ObserverError
from checks.vpn import openvpn
from checks.vpn.openvpn import parse
from checks.vpn.params import VpnParams
from checks.vpn.tunnel import Count, Tunnel
from tests.peers import accepts, free_port, need, running, which
from tests.pki import issue

STATE = ["1795456908,CONNECTED,SUCCESS,10.8.7.2,10.9.7.2,1194,,"]
CLIENT = """\
OpenVPN STATISTICS
Updated,2026-11-23 18:01:48
TUN/TAP read bytes,252
TUN/TAP write bytes,252
TCP/UDP read bytes,2300
TCP/UDP write bytes,2224
Auth read bytes,252""".splitlines()
SERVER = """\
TITLE\tOpenVPN 2.6.14 x86_64-pc-linux-gnu [SSL (OpenSSL)] [LZO] [LZ4] [EPOLL] [PKCS11] [MH/PKTINFO] [AEAD] [DCO]
TIME\t2026-11-23 18:01:49\t1795456909
HEADER\tCLIENT_LIST\tCommon Name\tReal Address\tVirtual Address\tVirtual IPv6 Address\tBytes Received\tBytes Sent\
\tConnected Since\tConnected Since (time_t)\tUsername\tClient ID\tPeer ID\tData Channel Cipher
CLIENT_LIST\toffice\t10.9.7.1:50884\t10.8.7.2\t\t2210\t2274\t2026-11-23 18:01:48\t1795456908\tUNDEF\t0\t0\tAES-256-GCM
CLIENT_LIST\tother\t10.9.7.3:50885\t10.8.7.3\t\t1\t2\t2026-11-23 18:01:48\t1795456908\tUNDEF\t1\t1\tAES-256-GCM
GLOBAL_STATS\tdco_enabled\t0""".splitlines()
"""As OpenVPN 2.6.14 says it; a second client was added."""
NOW = 1795456918


def test_a_client_that_is_connected_is_up() -> None:
    found = parse(STATE, CLIENT, "", NOW)

    assert (found.up, found.peer, found.age) == (True, "10.9.7.2:1194", 10)
    assert found.total == Count(2300, 2224)
    assert found.said == "OpenVPN is CONNECTED to 10.9.7.2:1194"


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("1795456908,RECONNECTING,tls-error,,,,,", "OpenVPN is RECONNECTING (tls-error), not CONNECTED to the server"),
        ("1795456954,AUTH,,,,,,", "OpenVPN is AUTH, not CONNECTED to the server"),
        ("1795456954,WAIT,,,2001:db8::1,1194,,", "OpenVPN is WAIT, not CONNECTED to [2001:db8::1]:1194"),
    ],
)
def test_a_client_that_is_not_connected_says_what_it_is_doing(state: str, said: str) -> None:
    found = parse([state], [], "", NOW)

    assert (found.up, found.age, found.said) == (False, None, said)


def test_a_server_tells_of_each_client_by_its_common_name() -> None:
    found = parse(STATE, SERVER, "office", NOW)

    assert (found.up, found.peer, found.age) == (True, "office", 10)
    assert found.total == Count(2210, 2274)
    assert found.facts == {"peer": "office", "cipher": "AES-256-GCM"}


def test_a_client_that_a_server_does_not_serve_is_down() -> None:
    assert parse(STATE, SERVER, "ofice", NOW) == Tunnel(
        up=False, said="OpenVPN serves no client ofice: it is not connected"
    )


def test_a_server_of_several_clients_wants_to_know_which() -> None:
    with pytest.raises(ObserverError, match="OpenVPN serves several clients: set peer to one of office, other"):
        parse(STATE, SERVER, "", NOW)


@contextlib.contextmanager
def waiting(folder: Path, port: int, password: str) -> Iterator[None]:
    """A real OpenVPN that waits for what its management interface will tell it."""
    need("openvpn")
    file = folder / "password"
    file.write_text(f"{password}\n")
    file.chmod(0o600)
    management = ("--management", "127.0.0.1", str(port), str(file), "--management-query-passwords")
    client = ("--dev", "null", "--client", "--remote", "127.0.0.1", "1", "--ca", str(_authority(folder)))
    argv = [which("openvpn") or "openvpn", *client, "--auth-user-pass", *management]
    with running(argv, ready=lambda: accepts(port), log=folder / "log"):
        yield


def _authority(folder: Path) -> Path:
    return issue("lab", authority=True).write(folder, "ca")[0]


@pytest.mark.peer
@pytest.mark.parametrize(
    ("password", "reason", "words"),
    [
        ("", "bad-password", "wants a password: set password"),
        ("wrong", "bad-password", "does not take this password"),
        ("right", "", "OpenVPN is CONNECTING, not CONNECTED to the server"),
    ],
)
async def test_the_management_interface_may_want_a_password(
    tmp_path: Path, password: str, reason: str, words: str
) -> None:
    port = free_port()
    params = VpnParams(kind="openvpn", through="10.0.7.1", password=password)
    with waiting(tmp_path, port, "right"):
        try:
            found = await openvpn.read(Target("n", f"127.0.0.1:{port}"), params, Context(SystemClock(), 20.0, {}))
        except ObserverError as error:
            said = (error.reason, error.summary)
        else:
            said = ("", found.said)
    assert said == (reason, f"OpenVPN at 127.0.0.1:{port} {words}" if reason else words)
