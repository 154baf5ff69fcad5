"""Through the real Apprise to a real web server on loopback."""

from __future__ import annotations

import contextlib
import http.server
import io
import json
import logging
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from alerts.messages import Message, NoticeKind
from alerts.model import Severity
from alerts.notify import AppriseNotifier, notifiers_of
from alerts.pipeline import Notification, NotifyError, Retry, Status, deliver
from tests.alerts.world import START
from tests.peers import free_port

MESSAGE = Message("[NGHIÊM TRỌNG] Xã Bành Trạch mất kết nối", "Từ / Since: …\n- <b>ping</b> & \\n :smile: *x*")
PENDING = Notification("1/opened/critical", "1", NoticeKind.OPENED, Severity.CRITICAL, START, Status.PENDING)


class Webhook:
    """What arrived, and with which status codes to answer: the last one for ever."""

    def __init__(self, *codes: int) -> None:
        self.codes = list(codes)
        self.arrived: list[dict[str, Any]] = []
        self.port = 0

    def take(self, body: dict[str, Any]) -> int:
        self.arrived.append(body)
        return self.codes.pop(0) if len(self.codes) > 1 else self.codes[0]


@contextlib.contextmanager
def listening(*codes: int) -> Iterator[Webhook]:
    hook = Webhook(*codes)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            self.send_response(hook.take(json.loads(body)))
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name in the base class
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hook.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield hook
        finally:
            server.shutdown()
            thread.join()


async def no_sleep(_seconds: float) -> None:
    return None


async def test_a_message_arrives_as_it_was_written() -> None:
    with listening(200) as hook:
        await AppriseNotifier(f"json://127.0.0.1:{hook.port}/alarm").send(MESSAGE, NoticeKind.OPENED, Severity.CRITICAL)
    (body,) = hook.arrived
    assert (body["title"], body["message"], body["type"]) == (MESSAGE.title, MESSAGE.body, "failure")


async def test_a_recovery_is_a_success_and_a_warning_a_warning() -> None:
    with listening(200) as hook:
        notifier = AppriseNotifier(f"json://127.0.0.1:{hook.port}/")
        await notifier.send(MESSAGE, NoticeKind.CLOSED, Severity.CRITICAL)
        await notifier.send(MESSAGE, NoticeKind.OPENED, Severity.WARNING)
    assert [body["type"] for body in hook.arrived] == ["success", "warning"]


async def test_a_server_that_fails_twice_is_tried_a_third_time() -> None:
    with listening(500, 500, 200) as hook:
        notifier = AppriseNotifier(f"json://127.0.0.1:{hook.port}/")
        done = await deliver(PENDING, MESSAGE, [notifier], Retry(), now=lambda: START, sleep=no_sleep)
    assert done.status is Status.SENT
    assert len(hook.arrived) == 3
    assert len(done.deliveries[0].errors) == 2
    assert "error=500" in done.deliveries[0].errors[0]


async def test_an_unreachable_server_is_named_with_the_reason_and_without_its_secrets() -> None:
    url = f"json://watcher:hunter22@127.0.0.1:{free_port()}/secret-path?+X-Token=abcdef"
    notifier = AppriseNotifier(url)
    done = await deliver(PENDING, MESSAGE, [notifier], Retry(attempts=2), now=lambda: START, sleep=no_sleep)
    assert done.status is Status.FAILED
    (delivery,) = done.deliveries
    assert delivery.channel.startswith("json://127.0.0.1:")
    assert len(delivery.errors) == 2
    assert "A Connection error occurred sending JSON" in delivery.errors[0]
    assert not any(secret in repr(done) for secret in ("hunter22", "secret-path", "abcdef"))


async def test_a_server_that_does_not_answer_ends_with_the_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        notifier = AppriseNotifier(f"json://127.0.0.1:{deaf.getsockname()[1]}/?rto=0.3", timeout=0.1)
        with pytest.raises(NotifyError) as caught:
            await notifier.send(MESSAGE, NoticeKind.OPENED, Severity.CRITICAL)
    assert str(caught.value).startswith(f"{notifier.name}: Service 'JSON' did not finish within")


def test_a_url_that_apprise_cannot_use_is_named_by_position_and_never_shown(
    capfd: pytest.CaptureFixture[str],
) -> None:
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    logging.getLogger().addHandler(handler)
    for url in ("jsonn://user:hunter22@host/", "hunter22", "tgram://hunter22", "mailto://hunter22"):
        with pytest.raises(
            ValueError, match=r"^notify\.urls\[1\]: (expected an Apprise URL|Apprise knows no service)"
        ) as caught:
            notifiers_of(["json://localhost/", url], "notify.urls")
        assert "hunter22" not in str(caught.value)
    logging.getLogger().removeHandler(handler)
    assert "hunter22" not in log.getvalue()
    assert "hunter22" not in "".join(capfd.readouterr())


def test_a_token_in_the_place_of_the_host_is_masked_in_the_name() -> None:
    token = "123456789:abcdefghijklmnopqrstuvwxyz012345678"
    name = AppriseNotifier(f"tgram://{token}/12315544/").name
    assert name.startswith("tgram://")
    assert token.partition(":")[2] not in name
