"""What the collector's answer to a report means for the agent. Pure."""

from __future__ import annotations

import calendar
import enum
import time
from typing import NamedTuple

import msgspec

from agent.wire import Receipt, Refusal
from checks.net.http1 import Response

_HTTP_DATE = "%a, %d %b %Y %H:%M:%S GMT"
"""IMF-fixdate, the one form that a server may send (RFC 9110, 5.6.7)."""


class Verdict(enum.Enum):
    """What to do next with the rows of a report."""

    COMMITTED = "committed"
    """They are on the collector's disk: delete them here."""
    WHOLE_TABLE = "whole-table"
    """Send them again with every name."""
    MALFORMED = "malformed"
    """Something in them will never be taken: find it."""
    TOO_LARGE = "too-large"
    """Send fewer at a time."""
    DENIED = "denied"
    """The collector does not want this agent: keep all, ask seldom, tell a person."""
    LATER = "later"
    """Keep all, try again."""


class Answer(NamedTuple):
    """A verdict, a sentence for a person, the receipt of what was committed, and the seconds that the collector asks
    to wait (None when it names none)."""

    verdict: Verdict
    detail: str = ""
    receipt: Receipt | None = None
    wait: float | None = None


def answer_of(response: Response, now: int) -> Answer:
    """The meaning of a response to a report; ``now`` is Unix ms."""
    status = response.status
    if status == 200:
        try:
            return Answer(Verdict.COMMITTED, receipt=msgspec.json.decode(response.body, type=Receipt))
        except msgspec.MsgspecError as error:
            return Answer(Verdict.LATER, f"the answer 200 is not a collector's receipt ({error}): check the address")
    refusal = _refusal(response)
    detail = f"{status} {refusal.error}: {refusal.detail}" if refusal.error else f"HTTP {status}"
    if refusal.error == "wrong-agent":
        return Answer(Verdict.DENIED, f"{detail}: the token is another node's")
    if status in (401, 403):
        return Answer(
            Verdict.DENIED,
            f"{detail}: check the token (after a new one, restart the agent), "
            "and that the collector's topology has this node",
        )
    if refusal.error == "unknown-ids":
        return Answer(Verdict.WHOLE_TABLE, detail)
    if status in (400, 422):
        return Answer(Verdict.MALFORMED, detail)
    if status == 413:
        return Answer(Verdict.TOO_LARGE, detail)
    if status == 404:
        detail += ": no collector answers there, check the address"
    return Answer(Verdict.LATER, detail, wait=retry_after(response.header("retry-after"), now))


def _refusal(response: Response) -> Refusal:
    try:
        return msgspec.json.decode(response.body, type=Refusal)
    except msgspec.MsgspecError:
        return Refusal("", "")


def retry_after(value: str, now: int) -> float | None:
    """Seconds that a Retry-After asks for (RFC 9110, 10.2.3: seconds or a date), an hour at most; None when it is
    absent or no such thing."""
    text = value.strip()
    if not text:
        return None
    if text.isascii() and text.isdigit():
        return min(float(text), 3600.0)
    try:
        at = calendar.timegm(time.strptime(text, _HTTP_DATE))
    except ValueError:
        return None
    return min(max(0.0, at - now / 1000), 3600.0)
