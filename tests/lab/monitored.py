"""Thông Suốt at work in a province: the collector at the centre, an agent at every node that has an office."""

from __future__ import annotations

import contextlib
import datetime
import json
import secrets
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from collector.state import StateFile
from tests.lab.layout import LANS, LINES, LOOPBACKS, Node
from tests.lab.netns import Namespace, end
from tests.lab.province import Province
from tests.lab.router import COMMUNITY
from tests.lab.topology import topology_of
from tests.peers import accepts, need, running
from tests.pki import issue

_BIN = Path(sys.executable).parent
_AGENTS = 8443


@contextlib.contextmanager
def monitored(province: Province, folder: Path, page: str) -> Iterator[None]:
    """Runs the collector and the agents, with their files in a folder. The page is reachable at ``page``, host:port of
    this machine."""
    centre = next(node for node in province.nodes.values() if node.tier == "province")
    host, port = page.rsplit(":", 1)
    authority = issue("Lab authority", authority=True)
    ca, _ = authority.write(folder, "ca")
    chain, key = issue("collector", centre.host, by=authority).write(folder, "collector")
    (folder / "topology.yaml").write_text(topology_of(list(province.nodes.values()), centre.host))
    settings = {
        "topology": str(folder / "topology.yaml"),
        "state_dir": str(folder / "collector"),
        "report_every": 2.0,
        "listen.page": f"127.0.0.1:{port}",
        "listen.agents": f"{centre.host}:{_AGENTS}",
        "listen.certificate": str(chain),
        "listen.key": str(key),
        "listen.reflector": f"{centre.host}:862",
        "secrets.snmp-community": COMMUNITY,
        "secrets.stamp": secrets.token_urlsafe(16),
    }
    with contextlib.ExitStack() as undo:
        inside = province.office(centre.name)
        undo.enter_context(_relayed(inside, folder / "page", host, int(port)))
        argv = [str(_BIN / "thongsuot-collector"), "run", "--config", str(_toml(folder / "collector.toml", settings))]
        log = folder / "collector.log"
        undo.enter_context(running(inside.argv(*argv), ready=lambda: _answers(page), log=log, seconds=30))
        agents = []
        for name, token in _tokens(province, folder / "collector" / "state.db").items():
            config = _agent_config(province.nodes[name], folder, f"https://{centre.host}:{_AGENTS}", token, ca)
            argv = [str(_BIN / "thongsuot-agent"), "run", "--config", str(config)]
            where = province.office(name)
            agent = running(where.argv(*argv), ready=lambda: True, log=folder / f"{name}.log")
            agents.append(undo.enter_context(agent).pid)
        undo.callback(end, agents)  # all at once
        yield


def _tokens(province: Province, state: Path) -> dict[str, str]:
    """What ``thongsuot-collector agent add`` does, for all at once."""
    with contextlib.closing(StateFile(state)) as file:
        now = round(datetime.datetime.now(datetime.UTC).timestamp() * 1000)
        return {name: file.new_token(name, now) for name in province.offices}


def _agent_config(node: Node, folder: Path, collector: str, token: str, ca: Path) -> Path:
    settings = {
        "node": node.name,
        "collector": collector,
        "token": token,
        "ca_file": str(ca),
        "state_dir": str(folder / f"{node.name}-agent"),
        "allowed_prefixes": [LINES, LOOPBACKS, LANS],
    }
    return _toml(folder / f"{node.name}.toml", settings)


def _toml(path: Path, settings: Mapping[str, Any]) -> Path:
    path.touch(mode=0o600)
    path.write_text("".join(f"{key} = {msgspec.json.encode(value).decode()}\n" for key, value in settings.items()))
    return path


@contextlib.contextmanager
def _relayed(inside: Namespace, meeting: Path, host: str, port: int) -> Iterator[None]:
    """A port of this machine is a port of the namespace's loopback: a file is reached from both. Raises ValueError when
    it is taken."""
    need("socat", "setpriv")
    if accepts(port, host):
        raise ValueError(f"{host}:{port}: somebody listens there already: choose another address for the page")
    far = inside.argv("socat", f"UNIX-LISTEN:{meeting},fork,mode=600", f"TCP:127.0.0.1:{port}")
    near = ["socat", f"TCP-LISTEN:{port},bind={host},fork,reuseaddr", f"UNIX-CONNECT:{meeting}"]
    with (
        running(far, ready=meeting.exists),
        # It is in no namespace of the province, and must not outlive whoever removes that.
        running(["setpriv", "--pdeathsig", "TERM", *near], ready=lambda: True),
    ):
        yield


def _answers(page: str) -> bool:
    try:
        return "total" in coverage(page)
    except OSError:
        return False


def coverage(page: str) -> Any:
    """What the collector says of the offices."""
    with urllib.request.urlopen(f"http://{page}/api/v1/coverage", timeout=5) as answer:
        return json.load(answer)
