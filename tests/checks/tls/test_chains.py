"""Chains that servers really sent, with what is known of each in a manifest_pem.csv."""

from __future__ import annotations

import csv
import datetime
from collections.abc import Iterator, Mapping
from pathlib import Path

from checks.model import Outcome, State
from checks.tls.examine import answer
from checks.tls.examined import Asked, Examined
from checks.tls.judge import Shown, Subject, judge
from checks.tls.params import TlsParams
from tests.pki import DAY, issue

LATE = datetime.datetime(2026, 11, 23, 12, tzinfo=datetime.UTC)
Row = Mapping[str, str]


def rows(folder: Path) -> Iterator[tuple[Row, str]]:
    """The rows whose file is there."""
    with (folder / "manifest_pem.csv").open(encoding="utf-8", newline="") as manifest:
        for row in csv.DictReader(manifest):
            if (folder / row["file"]).is_file():
                yield row, str(folder / row["file"])


def when(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text)


def name_of(row: Row) -> str:
    """A name that the certificate is for, where it has one."""
    return row["san"].partition("|")[0].replace("*", "any", 1)


def at(moment: datetime.datetime, path: str, server_name: str = "", ca_file: str = "") -> Outcome:
    """The outcome of a file at a time, without the child process."""
    asked = Asked(
        at=moment.timestamp(),
        name=server_name,
        file=Path(path).read_bytes(),
        trust=bool(server_name),
        ca_file=ca_file,
    )
    examined = answer(asked)
    assert isinstance(examined, Examined), path
    return judge(Subject(path, server_name, asked.at), Shown(examined), TlsParams(), {})


def test_dates_keys_and_signatures_are_read_as_they_are(chains: Path) -> None:
    seen = 0
    for row, path in rows(chains):
        outcome = at(LATE, path)
        days = {metric.name: metric.value for metric in outcome.metrics if not metric.instance}
        ends = {
            metric.instance.rpartition(" ")[2]: metric.value
            for metric in outcome.metrics
            if metric.name.endswith("not_after")
        }
        facts = outcome.facts
        assert len(ends) == int(row["n_certs"]), path
        assert ends[facts["fingerprint"][:8]] == when(row["notAfter"]).timestamp(), path
        assert abs(days["tls.sent.days_left"] - (when(row["earliest_notAfter_in_chain"]) - LATE) / DAY) < 1e-6, path
        assert facts["signature"] == row["sig"], path
        assert f"{facts['key'].replace(' ', 'PublicKey-')}" == row["key"], path
        for common in ("subject", "issuer"):
            if "CN=" in row[common]:
                assert f"CN={facts[common]}" in row[common], path
        names = int(row["n_san"])
        assert (
            facts["names"].endswith(f"and {names - 5} more")
            if names > 5
            else facts["names"].count(",") == max(0, names - 1)
        ), path
        seen += 1
    assert seen


def test_each_fault_is_told_and_no_other(chains: Path) -> None:
    for row, path in rows(chains):
        if not name_of(row):
            continue
        begins, ends = when(row["notBefore"]), when(row["notAfter"])
        expired = at(ends + 3 * DAY, path, server_name=name_of(row))
        assert (expired.state, expired.reason) == (State.CRIT, "expired"), path
        assert f"expired on {ends:%Y-%m-%d} (3 days ago)" in expired.summary, path
        early = at(begins - DAY, path, server_name=name_of(row))
        assert "not-yet-valid" in early.reason, path
        assert f"valid only from {begins:%Y-%m-%d}" in early.summary, path
        good = at(begins + DAY, path, server_name=name_of(row))
        assert "expired on" not in good.summary.partition(row["issuer"])[0], path
        assert "not for this name" not in good.summary, path
        other = at(begins + DAY, path, server_name="other.example")
        assert "not for this name" in other.summary, path


def test_what_is_missing_is_named(chains: Path, tmp_path: Path) -> None:
    stranger = tmp_path / "ca.pem"
    stranger.write_bytes(issue("Stranger", authority=True).pem)
    for row, path in rows(chains):
        if not name_of(row):
            continue
        said = (at(LATE, path, server_name=name_of(row), ca_file=str(stranger))).summary
        alone = row["n_certs"] == "1"
        assert ("the certificate is signed by itself" in said) is (alone and row["self_signed"] == "1"), path
        if alone and row["self_signed"] == "0":
            issuer = row["issuer"].removeprefix("CN=").partition(",")[0]
            assert f"the certificate of {issuer!r}" in said, path
            assert "is not in the file" in said, path
        sha1 = row["sig"] == "sha1" or "sha1" in Path(path).stem
        assert ("signed by way of sha1" in said) is sha1, path
