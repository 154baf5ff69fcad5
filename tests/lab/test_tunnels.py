from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lab.tunnels import End, Tunnel, Wire, openvpn, strongswan, wire, wireguard
from tests.peers import need

pytestmark = [pytest.mark.peer, pytest.mark.root, pytest.mark.slow]

Make = Callable[..., contextlib.AbstractContextManager[Tunnel]]
EACH = pytest.mark.parametrize("tunnel", [wireguard, strongswan, openvpn], ids=lambda make: make.__name__)


def reaches(near: End, far: End) -> bool:
    """Whether an address of one LAN gets answers from one of the other."""
    said = near.where("sh", "-c", f"ping -n -i 0.1 -c 3 -W 0.3 -I {near.host} {far.host} || true")
    return " 0 received" not in said


def arrived(end: End) -> str:
    """The protocols of what has arrived on the wire since :func:`count`."""
    return end.where("nft", "list", "set", "netdev", "seen", "protocols")


def count(end: End) -> None:
    """Keeps the IP protocols of what arrives on the wire."""
    chain = f'type filter hook ingress device "{end.device}" priority 1; update @protocols {{ ip protocol }};'
    protocols = "type inet_proto; flags dynamic;"
    end.where("nft", f"table netdev seen {{ set protocols {{ {protocols} }}; chain all-of-it {{ {chain} }}; }}")


@EACH
def test_the_lans_reach_each_other_and_the_wire_sees_only_the_tunnel(tunnel: Make, tmp_path: Path) -> None:
    need("ping", "nft", root=True)
    with wire() as joint:
        assert not reaches(joint.office, joint.centre)
        with tunnel(joint, tmp_path):
            count(joint.centre)
            assert reaches(joint.office, joint.centre)
            assert "udp" in arrived(joint.centre)
            assert "icmp" not in arrived(joint.centre)


@EACH
def test_a_cut_wire_carries_nothing_until_it_is_mended(tunnel: Make, tmp_path: Path) -> None:
    need("ping", root=True)
    with wire() as joint, tunnel(joint, tmp_path):
        joint.cut()
        assert not reaches(joint.office, joint.centre)
        joint.mend()
        assert reaches(joint.office, joint.centre)


@EACH
def test_what_leaks_is_seen_on_the_wire(tunnel: Make, tmp_path: Path) -> None:
    need("ping", root=True)
    with wire() as joint, tunnel(joint, tmp_path):
        joint.leak()
        count(joint.centre)
        assert reaches(joint.office, joint.centre)
        assert "icmp" in arrived(joint.centre)


@EACH
def test_with_a_wrong_key_nothing_passes(tunnel: Make, tmp_path: Path) -> None:
    need("ping", root=True)
    with wire() as joint, tunnel(joint, tmp_path, wrong_key=True):
        assert not reaches(joint.office, joint.centre)


@EACH
def test_nothing_is_left_when_it_ends(tunnel: Make, tmp_path: Path) -> None:
    need("ip", root=True)

    def fails(joint: Wire) -> None:
        with tunnel(joint, tmp_path) as up:
            left.append(up)
            raise RuntimeError

    left: list[Tunnel] = []
    with wire() as joint, contextlib.suppress(RuntimeError):
        fails(joint)
    assert left[0].daemon.poll() is not None
