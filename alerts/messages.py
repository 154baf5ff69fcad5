"""What people read: the title of an incident, the text of a notification. Vietnamese first, English beneath. Pure.

Everything that came from outside (a summary holds what a server said) passes :func:`plain`.
"""

from __future__ import annotations

import datetime as dt
import enum
import unicodedata
from collections.abc import Callable, Sequence

import msgspec

from alerts.model import Alert, Incident, Rule, Severity, Verdict

VIETNAM = dt.timezone(dt.timedelta(hours=7))
"""Asia/Ho_Chi_Minh: UTC+7 without summer time since 1975; fixed here, so that a host without tzdata can say it too."""

_LONGEST = 200
_MOST_LINES = 10


class NoticeKind(enum.Enum):
    """Why people are told of an incident: it opened, became worse, or closed."""

    OPENED = "opened"
    RISEN = "risen"
    CLOSED = "closed"


class Message(msgspec.Struct, frozen=True):
    """What is sent: one line of title, plain text of body."""

    title: str
    body: str


_SEVERITY_VI = {
    Severity.INFO: "THÔNG TIN",
    Severity.WARNING: "CẢNH BÁO",
    Severity.MAJOR: "NẶNG",
    Severity.CRITICAL: "NGHIÊM TRỌNG",
}


def title(verdict: Verdict, node: str, name: str, alerts: Sequence[Alert]) -> tuple[str, str]:
    """An incident's title in Vietnamese and in English. ``alerts`` are those it holds, at least one."""
    name, place = plain(name), f"node {plain(node)}"
    if verdict is Verdict.DOWN:
        return f"{name} mất kết nối", f"{place} is down"
    if verdict is Verdict.SILENT:
        return f"{name} không có tín hiệu", f"{place} is silent"
    worst = max(alerts, key=lambda alert: (alert.severity.rank, -alert.since, alert.key))
    what = plain(worst.summary)
    if worst.rule is Rule.SILENCE:
        return f"{name}: agent không gửi số liệu", f"{place}: {what}"
    if worst.rule is Rule.OBSERVER:
        return f"{name}: không đo được", f"{place} cannot measure: {what}"
    if len(alerts) == 1:
        return f"{name}: phép đo {_job(worst)} không đạt", f"{place}: {what}"
    return f"{name}: {len(alerts)} phép đo không đạt", f"{place}: {len(alerts)} checks fail, the worst: {what}"


def message(kind: NoticeKind, incident: Incident, name_of: Callable[[str], str]) -> Message:
    """The notification of an incident as it is now."""
    if kind is NoticeKind.CLOSED:
        head, lines = "ĐÃ KHÔI PHỤC", _closed_lines(incident)
    else:
        head, lines = _SEVERITY_VI[incident.severity], _open_lines(incident, name_of)
    rises = " (tăng mức / now worse)" if kind is NoticeKind.RISEN else ""
    restored = " (khôi phục / recovered)" if kind is NoticeKind.CLOSED else ""
    return Message(
        title=f"[{head}] {incident.title}{rises} / {incident.title_en}{restored}",
        body="\n".join([*lines, f"Sự cố / Incident: {incident.id}"]),
    )


def _open_lines(incident: Incident, name_of: Callable[[str], str]) -> list[str]:
    lines = [f"Từ / Since: {local_time(incident.since)}"]
    if incident.verdict is not Verdict.FAULT:
        lines.append(f"Cơ quan mất kết nối / Offices cut off: {incident.offices}")
    if incident.behind:
        names = [f"{plain(name_of(node))} ({plain(node)})" for node in incident.behind]
        lines.append(f"Bị ảnh hưởng theo / Behind it ({len(names)}):")
        lines += _listed(names)
    own = [f"{_job(alert)}: {plain(alert.summary)}" for alert in incident.alerts if alert.node == incident.node]
    lines.append("Phép đo không đạt / Failed checks:")
    return lines + _listed(own)


def _closed_lines(incident: Incident) -> list[str]:
    ended = incident.closed_at if incident.closed_at is not None else incident.since
    vietnamese, english = lasted(ended - incident.since)
    return [
        f"Từ / Since: {local_time(incident.since)}",
        f"Đến / Until: {local_time(ended)}",
        f"Kéo dài / Lasted: {vietnamese} / {english}",
    ]


def _listed(texts: Sequence[str]) -> list[str]:
    lines = [f"- {text}" for text in texts[:_MOST_LINES]]
    if len(texts) > _MOST_LINES:
        more = len(texts) - _MOST_LINES
        lines.append(f"- và {more} nữa / and {more} more")
    return lines


def _job(alert: Alert) -> str:
    """A job without its node, which stands in the title: check/label."""
    return plain(alert.job.partition("/")[2]) if alert.job else "agent"


def local_time(at: int) -> str:
    """Unix ms as ISO 8601 to the second, in the province's time."""
    return dt.datetime.fromtimestamp(at // 1000, VIETNAM).isoformat()


_UNITS = ((86_400, "ngày", "day"), (3_600, "giờ", "hour"), (60, "phút", "minute"), (1, "giây", "second"))


def lasted(milliseconds: int) -> tuple[str, str]:
    """A duration in people's words, its two largest units, in Vietnamese and English: "2 giờ 5 phút", "2 hours 5
    minutes"."""
    rest = max(0, round(milliseconds / 1000))
    parts = []
    for size, vietnamese, english in _UNITS:
        count, rest = divmod(rest, size)
        if count:
            parts.append((f"{count} {vietnamese}", f"{count} {english}{'s' if count > 1 else ''}"))
    parts = parts[:2] or [("0 giây", "0 seconds")]
    return " ".join(vi for vi, _ in parts), " ".join(en for _, en in parts)


def plain(text: str) -> str:
    """Text from outside on one line, without control or direction characters, cut to 200 characters."""
    shown = "".join(" " if unicodedata.category(c) in _UNFIT else c for c in text[: 4 * _LONGEST])
    shown = " ".join(shown.split())
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"


_UNFIT = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
