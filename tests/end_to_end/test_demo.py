"""The main job, end to end, through the command that people try first: `thongsuot-collector demo`."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

from tests.chromium import CHROMIUM, FLAGS
from tests.peers import free_port, need, running, wait_until, which

COMMUNE = "c01900"
INTERVAL, WINDOW, CONFIRM = 5.0, 16.0, 5.0


@dataclass
class Webhook:
    """A local receiver of notifications."""

    url: str
    messages: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Demo:
    """A running demo."""

    address: str
    webhook: Webhook
    process: subprocess.Popen[bytes]
    log: Path

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://{self.address}{path}", timeout=5) as answer:
            return json.load(answer)

    def offices(self) -> tuple[int, int, int]:
        """Connected, down, unobserved."""
        total = self.get("/api/v1/coverage")["total"]
        return total["connected"], total["down"], total["unobserved"]

    def switch(self, node: str, to: str) -> None:
        origin = {"Origin": f"http://{self.address}"}
        request = urllib.request.Request(
            f"http://{self.address}/demo/routers/{node}/{to}", data=b"", headers=origin, method="POST"
        )
        with urllib.request.urlopen(request, timeout=5):
            pass

    def open_incidents(self) -> list[dict[str, Any]]:
        """Those of simulated routers' nodes: this host itself may be too busy for its own check."""
        found = self.get("/api/v1/incidents?open=true")
        return [incident for incident in found if incident["severity"] == "critical"]

    def messages(self, place: str) -> list[dict[str, Any]]:
        """The notifications about a place."""
        return [message for message in self.webhook.messages if place in message["title"]]


@contextlib.contextmanager
def webhook() -> Iterator[Webhook]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.messages.append(json.loads(body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Webhook(f"json://127.0.0.1:{server.server_port}/")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("demo")
    address, log = f"127.0.0.1:{free_port()}", folder / "log"
    program = str(Path(sys.executable).with_name("thongsuot-collector"))
    options = {"page": address, "interval": INTERVAL, "proof-window": WINDOW, "confirm-after": CONFIRM}
    with webhook() as hook:
        options["notify"] = hook.url
        argv = [program, "demo", *(f"--{key}={value}" for key, value in options.items())]

        def ready() -> bool:
            return "Ctrl-C ends everything" in log.read_text()

        with running(argv, ready=ready, log=log, seconds=60) as process:
            yield Demo(address, hook, process, log)


@pytest.mark.slow
def test_a_stopped_router_takes_exactly_its_offices_and_gives_them_back(demo: Demo) -> None:
    wait_until(lambda: demo.offices() == (588, 0, 0), "all 588 offices to be connected", 60)
    lost = demo.get(f"/api/v1/nodes/{COMMUNE}")["node"]["offices"]
    assert lost == 4

    demo.switch(COMMUNE, "stop")
    stopped = time.monotonic()
    wait_until(lambda: bool(demo.open_incidents()), "an incident", 30)
    # The next poll, its two tries, the configured time to confirm it, and the second that a tick may take.
    assert time.monotonic() - stopped < INTERVAL * 2 + CONFIRM + 5
    (incident,) = demo.open_incidents()
    assert (incident["node"], incident["severity"], incident["offices"]) == (COMMUNE, "critical", lost)
    assert incident["title"] == "Xã Cao Thượng mất kết nối"
    wait_until(lambda: demo.offices() == (588 - lost, lost, 0), "coverage to fall by the commune's offices", 30)
    assert demo.get(f"/api/v1/nodes/{COMMUNE}")["node"]["reach"] == "down"
    wait_until(lambda: len(demo.messages("Xã Cao Thượng")) == 1, "the notification", 20)

    demo.switch(COMMUNE, "start")
    wait_until(lambda: not demo.open_incidents(), "the incident to close", 30)
    wait_until(lambda: demo.offices() == (588, 0, 0), "coverage to come back", 30)
    closed = demo.get(f"/api/v1/incidents/{incident['id']}")
    assert closed["closed_by"] == "recovery"
    assert [line["kind"] for line in closed["timeline"]][:: len(closed["timeline"]) - 1] == ["opened", "closed"]
    wait_until(lambda: len(demo.messages("Xã Cao Thượng")) == 2, "the notification of the recovery", 20)


@pytest.mark.slow
@pytest.mark.peer
def test_a_person_stops_a_router_on_its_page_and_sees_the_province_change(demo: Demo) -> None:
    need(CHROMIUM)
    wait_until(lambda: demo.offices() == (588, 0, 0), "all offices to be connected", 60)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=which(CHROMIUM), args=FLAGS)
        try:
            page = browser.new_page()
            problems: list[str] = []
            page.on("pageerror", lambda error: problems.append(str(error)))
            page.on("request", lambda request: _only_ours(request.url, demo.address, problems))
            page.goto(f"http://{demo.address}/")
            page.get_by_text("588/588").wait_for()
            control = browser.new_page()
            control.goto(f"http://{demo.address}/nodes/{COMMUNE}")
            control.locator("form button").first.click()
            page.get_by_text("584/588").wait_for(timeout=40_000)
            page.locator("table.incidents").get_by_text("Xã Cao Thượng mất kết nối").wait_for()
            control.goto(f"http://{demo.address}/nodes/{COMMUNE}")
            control.locator("form button").first.click()
            page.get_by_text("588/588").wait_for(timeout=40_000)
            assert problems == []
        finally:
            browser.close()


def _only_ours(url: str, address: str, problems: list[str]) -> None:
    if not url.startswith((f"http://{address}/", "data:")):
        problems.append(f"a request left the origin: {url}")


@pytest.mark.slow
def test_the_demo_says_what_is_simulated_and_ends_on_ctrl_c(tmp_path: Path) -> None:
    address, log = f"127.0.0.1:{free_port()}", tmp_path / "log"
    program = str(Path(sys.executable).with_name("thongsuot-collector"))
    with running(
        [program, "demo", f"--page={address}", "--day=2025-08-01"],
        ready=lambda: "Ctrl-C ends everything" in log.read_text(),
        log=log,
        seconds=60,
    ) as process:
        said = log.read_text()
        assert "38 nodes and 148 offices, by the register of 2025-08-01" in said
        assert "Simulated: all 38 routers: real SNMP over UDP on this host" in said
        process.send_signal(2)
        assert process.wait(15) == 0
    assert not any(word in log.read_text() for word in ("Traceback", "ERROR", "WARNING"))
