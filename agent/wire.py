"""What agents and the collector say to each other. Pure: bytes ↔ values.

A :class:`Report` carries a run of measurements as columns, msgpack in zstd. Strings and series are named once by id
and then by number alone; the ids belong to a *table* that lives as long as the agent's process. Values are absolute,
so a report needs no other report but its table. A collector that does not know an id says so
(:class:`UnknownIdsError`), and the agent sends its table again.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet

import msgspec
import zstandard

from checks.model import Measurement, Metric, Outcome, State

CONTENT_TYPE = "application/vnd.thongsuot.report"
MAX_REPORT_BYTES = 8 << 20
"""Most that a report may unpack to."""

STATE_BITS = 3
"""Of a row's state byte, the State's rank."""
ANSWERED = 4
"""Of a row's state byte, whether the target answered."""


class Lane(enum.Enum):
    """``live`` goes first and may page people; ``backlog`` is replayed behind it and never pages."""

    LIVE = "live"
    BACKLOG = "backlog"


class Gap(msgspec.Struct, frozen=True, array_like=True):
    """Measurements that the agent had and lost: sequence numbers ``first``..``last`` (inclusive), taken between
    ``start`` and ``end`` (Unix ms), ``count`` of them, and why."""

    first: int
    last: int
    start: int
    end: int
    count: int
    why: str


class Series(msgspec.Struct, frozen=True, array_like=True):
    """One line of numbers over time."""

    job: str
    metric: str
    instance: str
    unit: str


class Columns(msgspec.Struct, array_like=True):
    """n measurements. ``seq`` and ``at`` (ms) hold the difference to the row before; ``duration`` is in µs; ``state``
    one byte each (State rank, + 4 when answered). ``facts`` is flat triples (row, key, value). Row i has
    ``counts[i]`` metrics: the next of ``series`` and ``values``. ``documents`` are triples (row, name, body)."""

    seq: list[int]
    job: list[int]
    at: list[int]
    duration: list[int]
    state: bytes
    reason: list[int]
    summary: list[int]
    facts: list[int]
    counts: list[int]
    series: list[int]
    values: list[float]
    documents: list[tuple[int, int, bytes]] = []


class Report(msgspec.Struct, array_like=True):
    """What an agent sends. ``epoch`` names the spool that numbered the measurements, ``table`` the agent's process
    that numbered the strings; ``texts`` and ``series`` are the entries from ``texts_from`` and ``series_from`` on
    that this collector may not know."""

    agent: str
    epoch: int
    lane: Lane
    sent_at: int
    table: int
    texts_from: int
    texts: list[str]
    series_from: int
    series: list[tuple[int, int, int, int]]
    columns: Columns
    gaps: list[Gap]


class Receipt(msgspec.Struct, frozen=True):
    """The collector's answer: everything in the report is on its disk, and may be deleted here. ``plan`` is the version
    of the plan that this agent should run; ``backlog_share`` the part of its link that the replay may take."""

    plan: str
    backlog_share: float = 0.5


class Refusal(msgspec.Struct, frozen=True):
    """Why a report was not taken. ``error`` is a stable word: ``unknown-ids`` asks for the whole table again,
    ``malformed`` and ``wrong-agent`` say that this report will never be taken."""

    error: str
    detail: str


class WireError(ValueError):
    """Bytes that are not a report. The message says what was expected."""


class UnknownIdsError(WireError):
    """The report names texts or series of a table that was not seen whole."""


class Table:
    """The strings and series of one sender, by number. Append-only."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.texts: list[str] = []
        self.series: list[tuple[int, int, int, int]] = []
        self._text_id: dict[str, int] = {}
        self._series_id: dict[tuple[int, int, int, int], int] = {}

    def __len__(self) -> int:
        return len(self.texts) + len(self.series)

    def text(self, value: str) -> int:
        """The id of a string, given now if it has none."""
        found = self._text_id.get(value)
        if found is None:
            found = self._text_id[value] = len(self.texts)
            self.texts.append(value)
        return found

    def series_of(self, job: str, metric: Metric) -> int:
        """The id of a job's metric."""
        key = (self.text(job), self.text(metric.name), self.text(metric.instance), self.text(metric.unit))
        found = self._series_id.get(key)
        if found is None:
            found = self._series_id[key] = len(self.series)
            self.series.append(key)
        return found

    def learn(self, report: Report) -> tuple[int, int]:
        """Takes in the entries that a report brings; entries known already must be the same. Returns how many texts
        and series were new. Raises UnknownIdsError when entries before them are missing, WireError when they differ or
        point nowhere. On an error nothing is taken."""
        if report.texts_from > len(self.texts) or report.series_from > len(self.series):
            raise UnknownIdsError(
                f"table {self.number}: {len(self.texts)} texts and {len(self.series)} series are known, "
                f"the report begins at {report.texts_from} and {report.series_from}"
            )
        known = len(self.texts) - report.texts_from
        old = len(self.series) - report.series_from
        if self.texts[report.texts_from :][: len(report.texts)] != report.texts[:known]:
            raise WireError(f"table {self.number}: the report renames texts that were named before")
        if self.series[report.series_from :][: len(report.series)] != report.series[:old]:
            raise WireError(f"table {self.number}: the report renumbers series that were numbered before")
        texts, series = report.texts[known:], report.series[old:]
        limit = len(self.texts) + len(texts)
        if any(not 0 <= part < limit for key in series for part in key):
            raise WireError(f"table {self.number}: a series names a text beyond {limit - 1}")
        self.texts.extend(texts)
        self.series.extend(series)
        return len(texts), len(series)

    def check(self, columns: Columns) -> None:
        """Raises UnknownIdsError or WireError unless every id in the columns is known and their lengths agree."""
        rows = len(columns.state)
        lengths = {
            len(c)
            for c in (
                columns.seq,
                columns.job,
                columns.at,
                columns.duration,
                columns.reason,
                columns.summary,
                columns.counts,
            )
        }
        if lengths != {rows} or len(columns.facts) % 3 or len(columns.series) != len(columns.values):
            raise WireError("the columns differ in length")
        if sum(columns.counts) != len(columns.values) or min(columns.counts, default=0) < 0:
            raise WireError("the metrics are not as many as the rows say")
        if max(columns.state, default=0) > 7:
            raise WireError("a state beyond 7")
        if any(not 0 <= row < rows for row in columns.facts[::3]):
            raise WireError("a fact of no row")
        if any(not 0 <= row < rows for row, _, _ in columns.documents):
            raise WireError("a document of no row")
        names = [name for _, name, _ in columns.documents]
        texts = (columns.job, columns.reason, columns.summary, columns.facts[1::3], columns.facts[2::3], names)
        low = min((min(ids) for ids in (*texts, columns.series) if ids), default=0)
        high = max((max(ids) for ids in texts if ids), default=-1)
        if low < 0:
            raise WireError("a negative id")
        if high >= len(self.texts) or max(columns.series, default=-1) >= len(self.series):
            raise UnknownIdsError(
                f"table {self.number}: the report names ids beyond "
                f"{len(self.texts)} texts and {len(self.series)} series"
            )


def columns_of(rows: Sequence[tuple[int, Measurement]], table: Table) -> Columns:
    """(sequence number, measurement) rows as columns, naming in the table what has no id yet."""
    columns = Columns([], [], [], [], b"", [], [], [], [], [], [])
    state = bytearray()
    last_seq = last_at = 0
    for row, (seq, measurement) in enumerate(rows):
        outcome = measurement.outcome
        columns.seq.append(seq - last_seq)
        columns.at.append(measurement.at - last_at)
        last_seq, last_at = seq, measurement.at
        columns.job.append(table.text(measurement.job))
        columns.duration.append(round(measurement.duration * 1e6))
        state.append(outcome.state.rank | (ANSWERED if outcome.answered else 0))
        columns.reason.append(table.text(outcome.reason))
        columns.summary.append(table.text(outcome.summary))
        for key, value in outcome.facts.items():
            columns.facts += (row, table.text(key), table.text(value))
        columns.documents += [(row, table.text(name), body) for name, body in outcome.documents.items()]
        columns.counts.append(len(outcome.metrics))
        for metric in outcome.metrics:
            columns.series.append(table.series_of(measurement.job, metric))
            number = metric.value
            columns.values.append(int(number) if float(number).is_integer() and abs(number) < 2**53 else number)
    columns.state = bytes(state)
    return columns


def measurements_of(columns: Columns, table: Table) -> list[tuple[int, Measurement]]:
    """The rows of columns that :meth:`Table.check` passed."""
    texts, keys = table.texts, table.series
    facts, documents = facts_of(columns, texts), documents_of(columns, texts)
    rows: list[tuple[int, Measurement]] = []
    seq = at = next_metric = 0
    for row, byte in enumerate(columns.state):
        seq += columns.seq[row]
        at += columns.at[row]
        begin, next_metric = next_metric, next_metric + columns.counts[row]
        metrics = tuple(
            Metric(texts[keys[s][1]], float(columns.values[begin + i]), texts[keys[s][3]], texts[keys[s][2]])
            for i, s in enumerate(columns.series[begin:next_metric])
        )
        outcome = Outcome(
            State.of_rank(byte & STATE_BITS),
            texts[columns.summary[row]],
            texts[columns.reason[row]],
            answered=bool(byte & ANSWERED),
            metrics=metrics,
            facts=facts.get(row, {}),
            documents=documents.get(row, {}),
        )
        rows.append((seq, Measurement(texts[columns.job[row]], at, columns.duration[row] / 1e6, outcome)))
    return rows


def facts_of(columns: Columns, texts: Sequence[str]) -> dict[int, dict[str, str]]:
    """The facts of the rows that have any."""
    facts: dict[int, dict[str, str]] = {}
    for i in range(0, len(columns.facts), 3):
        row, key, value = columns.facts[i : i + 3]
        facts.setdefault(row, {})[texts[key]] = texts[value]
    return facts


def documents_of(columns: Columns, texts: Sequence[str]) -> dict[int, dict[str, bytes]]:
    """The documents of the rows that have any."""
    documents: dict[int, dict[str, bytes]] = {}
    for row, name, body in columns.documents:
        documents.setdefault(row, {})[texts[name]] = body
    return documents


def without(columns: Columns, rows: AbstractSet[int]) -> Columns:
    """The columns less some rows."""
    kept = Columns([], [], [], [], b"", [], [], [], [], [], [])
    states = bytearray()
    place: dict[int, int] = {}
    seq = at = last_seq = last_at = next_metric = 0
    for row, state in enumerate(columns.state):
        seq, at = seq + columns.seq[row], at + columns.at[row]
        begin, next_metric = next_metric, next_metric + columns.counts[row]
        if row in rows:
            continue
        place[row] = len(states)
        states.append(state)
        kept.seq.append(seq - last_seq)
        kept.at.append(at - last_at)
        last_seq, last_at = seq, at
        for name in ("job", "duration", "reason", "summary", "counts"):
            getattr(kept, name).append(getattr(columns, name)[row])
        kept.series += columns.series[begin:next_metric]
        kept.values += columns.values[begin:next_metric]
    kept.state = bytes(states)
    for i in range(0, len(columns.facts), 3):
        row, key, value = columns.facts[i : i + 3]
        if row in place:
            kept.facts += (place[row], key, value)
    kept.documents = [(place[row], name, body) for row, name, body in columns.documents if row in place]
    return kept


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Report)


def encode(report: Report, level: int = 3) -> bytes:
    """The report's bytes."""
    return zstandard.ZstdCompressor(level=level).compress(_encoder.encode(report))


def decode(body: bytes) -> Report:
    """The report of some bytes; ids are not looked at. Raises WireError, whatever the bytes are."""
    try:
        size = zstandard.frame_content_size(body)
        if not 0 <= size <= MAX_REPORT_BYTES:
            raise WireError(f"expected a zstd frame that says its size, of at most {MAX_REPORT_BYTES} bytes")
        return _decoder.decode(zstandard.ZstdDecompressor().decompress(body, max_output_size=MAX_REPORT_BYTES))
    except zstandard.ZstdError as error:
        raise WireError(f"expected a zstd frame: {error}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(f"expected a report in msgpack: {error}") from error


def sequence_numbers(columns: Columns) -> Iterable[int]:
    """The absolute sequence numbers of the rows."""
    seq = 0
    for step in columns.seq:
        seq += step
        yield seq
