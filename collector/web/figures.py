"""How numbers and times are written on the page. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from collector.view import ShareView
from collector.web.words import Language, Words

# Asia/Ho_Chi_Minh has been UTC+7 with no summer time since 1975: no need of a time zone database on the host.
HO_CHI_MINH: Final = timezone(timedelta(hours=7), "+07")
AGES: Final = ((86_400, "{} d"), (3_600, "{} h"), (60, "{} min"), (0, "{} s"))
SIGNS: Final = {"Cel": "°C"}
"""How units are written whose short form nobody reads."""
PREFIXES: Final = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def percent(share: ShareView, language: Language) -> str:
    """Strict coverage, rounded down to hundredths of a percent: 100 only when every required office is connected."""
    if share.required == 0:
        return "–"
    hundredths = share.connected * 10_000 // share.required
    if hundredths == 10_000:
        return "100"
    return decimal(f"{hundredths // 100}.{hundredths % 100:02d}", language)


def decimal(number: str, language: Language) -> str:
    """A number with the language's decimal sign."""
    return number.replace(".", ",") if language == "vi" else number


def age(at: int, now: int, words: Words) -> str:
    """How long ago, in its largest whole unit. ``at`` and ``now`` are Unix ms; a dash for never."""
    return "–" if at <= 0 else span((now - at) / 1000, words)


def span(seconds: float, words: Words) -> str:
    """A length of time in its largest whole unit."""
    whole = max(0, int(seconds))
    size, pattern = next(pair for pair in AGES if whole >= pair[0])
    return words.text(pattern).format(whole // max(size, 1))


def clock_time(at: int, now: int) -> str:
    """The province's wall clock of a Unix ms: with the date when that is not today's."""
    when, today = (datetime.fromtimestamp(ms / 1000, HO_CHI_MINH) for ms in (at, now))
    return f"{when:%H:%M:%S}" if when.date() == today.date() else f"{when:%d/%m/%Y %H:%M:%S}"


def date(at: int) -> str:
    """The province's calendar day of a Unix ms."""
    return f"{datetime.fromtimestamp(at / 1000, HO_CHI_MINH):%d/%m/%Y}"


def days(at: int, now: int) -> int:
    """Whole days from now until a Unix ms; below 0 when that is past."""
    return (at - now) // 86_400_000


def iso(at: int) -> str:
    """A Unix ms for a machine."""
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="seconds")


def quantity(value: float, unit: str, language: Language) -> str:
    """A measured value as people read it: times in ms below a second, bit rates and bytes with a prefix, shares to a
    hundredth of a percent."""
    if unit == "s" and abs(value) < 1:
        return decimal(f"{value * 1000:.3g}", language) + " ms"
    if unit in ("bit/s", "By"):
        size, prefix = next(((s, p) for s, p in PREFIXES if abs(value) >= s), (1.0, ""))
        return decimal(f"{value / size:.3g}", language) + f" {prefix}{'B' if unit == 'By' else unit}"
    if unit == "%":
        value = round(value, 2)
    written = f"{value:.0f}" if value == int(value) or abs(value) >= 1000 else f"{value:.3g}"
    if unit.startswith("1"):  # a plain number, or so many per something
        return decimal(written, language) + unit.removeprefix("1")
    return f"{decimal(written, language)} {SIGNS.get(unit, unit)}"
