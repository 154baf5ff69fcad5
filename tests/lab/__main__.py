"""A province to look at and to break: ``make lab``, ``make lab-down``, ``python -m tests.lab cut c1``."""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NoReturn

import msgspec
import pytest

from tests.lab.control import Answer, Command, Server, Verb, ask, perform, stop
from tests.lab.layout import describe
from tests.lab.line import WAYS
from tests.lab.link import Shape
from tests.lab.monitored import monitored
from tests.lab.province import Province, province, sweep
from tests.peers import need

_FOLDER: Final = Path("/run/thongsuot-lab")
_FAULTS: Final[dict[Verb, str]] = {
    "cut": "no carrier at either end",
    "blackhole": "frames vanish; with --above N only the packets of more than N bytes",
    "limit": "--rate bit/s",
    "shape": "--delay and --jitter in s, --loss in %",
    "mend": "undo every fault",
}
_WELCOME: Final = """
  Thông Suốt: http://{page}/

  {routers} routers (FRR, snmpd), {offices} agents, one collector; up after {seconds:.1f} s. Files and logs: {folder}

  In another terminal, here, as root:
    alias lab="{program}"
    lab status                             the nodes, their namespaces and addresses
    lab cut c1                             its primary line; c1 has a backup line, c2 has none
    lab shape c1 backup --delay 0.3 --loss 20 --way to-parent
    lab blackhole d1 --above 1400
    lab limit c2 --rate 1000000
    lab mend c1 primary
    vtysh -N {router}                    a router's shell
    ip netns exec {office} ping {centre}

  Ctrl-C or `make lab-down` ends everything.
"""


def main(argv: Sequence[str]) -> None:
    """Parses the command line and does what it says."""
    options = _parser().parse_args(argv)
    try:
        options.do(options)
    except (pytest.skip.Exception, pytest.fail.Exception, ValueError) as error:
        sys.exit(str(error))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.lab", description=__doc__)
    parser.add_argument("--folder", type=Path, default=_FOLDER, help="the lab's files; one lab for each (%(default)s)")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    starting = verbs.add_parser("up", help="build a province and run until Ctrl-C or `down`")
    starting.add_argument("--districts", type=int, default=2, help="(%(default)s)")
    starting.add_argument("--communes", type=int, default=4, help="(%(default)s)")
    starting.add_argument("--page", default="127.0.0.1:8080", metavar="HOST:PORT", help="where to see it (%(default)s)")
    starting.set_defaults(do=up)
    verbs.add_parser("down", help="end the running lab, or remove what is left of a killed one").set_defaults(do=down)
    verbs.add_parser("status", help="how the nodes are").set_defaults(do=tell, verb="status")
    for verb, about in _FAULTS.items():
        fault = verbs.add_parser(verb, help=about)
        fault.add_argument("node")
        fault.add_argument("role", nargs="?", choices=("primary", "backup"), default="primary")
        if verb not in ("cut", "mend"):
            fault.add_argument("--way", dest="ways", action="append", choices=WAYS, default=[], help="default: both")
        _arguments(fault, verb)
        fault.set_defaults(do=tell, verb=verb)
    return parser


def _arguments(fault: argparse.ArgumentParser, verb: Verb) -> None:
    if verb == "blackhole":
        fault.add_argument("--above", type=int, metavar="BYTES")
    elif verb == "limit":
        fault.add_argument("--rate", type=int, metavar="BIT/S", required=True)
    elif verb == "shape":
        for name, unit in (("delay", "S"), ("jitter", "S"), ("loss", "PERCENT")):
            fault.add_argument(f"--{name}", type=float, metavar=unit, default=0.0)


def up(options: argparse.Namespace) -> None:
    """Builds the province, lets it be monitored, and takes commands until it is told to end."""
    need("ip", "nft", "vtysh", "snmpd", root=True)
    signal.signal(signal.SIGTERM, _interrupt)
    began = time.monotonic()
    nodes = describe(options.districts, options.communes)
    folder: Path = options.folder
    with (
        contextlib.suppress(KeyboardInterrupt),
        _own(folder),
        Server(folder) as server,
        province(nodes, folder) as built,
        monitored(built, folder, options.page),
    ):
        server.perform = lambda command: perform(built, command)
        print(_welcome(built, options, time.monotonic() - began), flush=True)
        try:
            server.serve_forever()
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)  # once is enough


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


@contextlib.contextmanager
def _own(folder: Path) -> Iterator[None]:
    """A folder that no other lab has."""
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        sys.exit(f"{folder}: a lab is running, or was killed: `make lab-down` ends it and removes what is left")
    try:
        yield
    finally:
        shutil.rmtree(folder)


def _welcome(built: Province, options: argparse.Namespace, seconds: float) -> str:
    own_folder = "" if options.folder == _FOLDER else f" --folder {options.folder}"
    return _WELCOME.format(
        page=options.page,
        routers=len(built.routers),
        offices=len(built.offices),
        seconds=seconds,
        folder=options.folder,
        program=f"{os.path.relpath(sys.executable)} -m tests.lab{own_folder}",
        router=built.router("c1").name,
        office=built.office("c1").name,
        centre=built.nodes["centre"].host,
    )


def down(options: argparse.Namespace) -> None:
    """Ends the running lab; of one that was killed, ends and removes what it left."""
    folder: Path = options.folder
    if not folder.exists():
        sys.exit(f"{folder}: no lab is here")
    with contextlib.suppress(OSError):
        if not stop(folder, 30):
            sys.exit("the lab has not ended in 30 s: see its terminal")
        return
    sweep(folder)
    shutil.rmtree(folder)


def tell(options: argparse.Namespace) -> None:
    """Tells the running lab what to do, and prints its answer."""
    given = vars(options)
    command = {name: given[name] for name in Command.__struct_fields__ if name in given}
    command["shape"] = {name: given[name] for name in Shape.__struct_fields__ if name in given}
    try:
        answer = ask(options.folder, msgspec.convert(command, Command))
    except OSError as error:
        answer = Answer(f"{options.folder}: no lab is running here ({error}): begin one with `make lab`", good=False)
    print(answer.text)
    sys.exit(0 if answer.good else 1)


if __name__ == "__main__":
    main(sys.argv[1:])
