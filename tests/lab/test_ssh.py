from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.netns import Namespace
from tests.lab.province import Province
from tests.lab.ssh import Login, vtysh_over_ssh
from tests.peers import need

pytestmark = [pytest.mark.peer, pytest.mark.root, pytest.mark.slow]


@pytest.fixture
def login(small: Province, tmp_path: Path) -> Iterator[Login]:
    with vtysh_over_ssh(small.router("c1"), tmp_path, password="a long password") as login:
        yield login


def ssh(where: Namespace, login: Login, *options: str, said: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    """What OpenSSH's client gets to see when it says something to the router."""
    need("ssh")
    known = ("-F", "/dev/null", "-o", f"UserKnownHostsFile={login.known_hosts}", "-o", "IdentitiesOnly=yes")
    argv = where.argv("ssh", "-T", *known, *options)
    return subprocess.run(argv, check=False, input=said, capture_output=True, text=True, env={**os.environ, **env})


def test_a_command_over_ssh_is_a_command_of_vtysh(small: Province, login: Login) -> None:
    place = f"{login.user}@{login.address}"

    done = ssh(small.office("centre"), login, "-i", str(login.key), place, "show ip ospf neighbor")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("Full/-") == len(small.nodes["c1"].lines)


@pytest.mark.parametrize("right", [True, False], ids=["right", "wrong"])
def test_a_password_opens_a_session_that_configures(small: Province, login: Login, tmp_path: Path, right: bool) -> None:
    answer = tmp_path / "answer"
    answer.write_text(f"#!/bin/sh\necho '{login.password if right else 'another'}'\n")
    answer.chmod(0o700)
    place = f"{login.user}@{login.address}"
    words = "configure terminal\ninterface lan\ndescription by ssh\nend\n"

    asked = {"SSH_ASKPASS": str(answer), "SSH_ASKPASS_REQUIRE": "force"}
    done = ssh(small.office("centre"), login, "-o", "PubkeyAuthentication=no", place, said=words, **asked)

    assert (done.returncode == 0) is right
    assert ("c1(config-if)#" in done.stdout) is right
    running = small.router("c1").vtysh("show running-config")
    assert ("description by ssh" in running) is right
    small.router("c1").vtysh("configure terminal\ninterface lan\nno description")
