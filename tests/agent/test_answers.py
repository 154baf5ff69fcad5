from __future__ import annotations

import msgspec
import pytest

from agent.answers import Verdict, answer_of, retry_after
from agent.wire import Receipt, Refusal
from checks.net.http1 import Response, Timings

NOW = 1_700_000_000_000  # Tue, 14 Nov 2023 22:13:20 GMT


def response(status: int, body: object = b"", **headers: str) -> Response:
    content = body if isinstance(body, bytes) else msgspec.json.encode(body)
    fields = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Response(status, fields, content, Timings(0, 0, 0, 0))


@pytest.mark.parametrize(
    ("status", "body", "verdict"),
    [
        (200, Receipt("v1", 0.25), Verdict.COMMITTED),
        (200, b"OK", Verdict.LATER),
        (204, b"", Verdict.LATER),
        (302, b"", Verdict.LATER),
        (400, Refusal("malformed", "x"), Verdict.MALFORMED),
        (422, Refusal("malformed", "x"), Verdict.MALFORMED),
        (400, b"Bad Request", Verdict.MALFORMED),
        (401, Refusal("unauthorized", "x"), Verdict.DENIED),
        (403, Refusal("wrong-agent", "x"), Verdict.DENIED),
        (422, Refusal("wrong-agent", "x"), Verdict.DENIED),
        (404, b"", Verdict.LATER),
        (409, Refusal("unknown-ids", "x"), Verdict.WHOLE_TABLE),
        (409, b"", Verdict.LATER),
        (413, b"", Verdict.TOO_LARGE),
        (429, b"", Verdict.LATER),
        (500, b"Internal Server Error", Verdict.LATER),
        (503, b"", Verdict.LATER),
    ],
)
def test_every_answer_has_a_meaning(status: int, body: object, verdict: Verdict) -> None:
    assert answer_of(response(status, body), NOW).verdict is verdict


def test_a_receipt_is_read() -> None:
    assert answer_of(response(200, Receipt("v1", 0.25)), NOW).receipt == Receipt("v1", 0.25)


def test_the_operator_reads_what_the_collector_said() -> None:
    answer = answer_of(response(403, Refusal("wrong-agent", "bk's token cannot speak for 'na'")), NOW)
    assert answer.detail == "403 wrong-agent: bk's token cannot speak for 'na': the token is another node's"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("", None),
        ("7", 7.0),
        (" 0 ", 0.0),
        ("99999999", 3600.0),
        ("Tue, 14 Nov 2023 22:14:20 GMT", 60.0),
        ("Tue, 14 Nov 2023 22:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("٣", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str, seconds: float | None) -> None:
    assert retry_after(text, NOW) == seconds
    assert answer_of(response(503, b"", retry_after=text), NOW).wait == seconds
