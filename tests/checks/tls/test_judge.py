from __future__ import annotations

import datetime
from typing import Any

import msgspec
import pytest

from checks.model import Outcome, State
from checks.net.certificates import Certificate
from checks.tls.examined import Examined
from checks.tls.handshake import WEAK, Handshake
from checks.tls.judge import Shown, Subject, judge
from checks.tls.params import TlsParams
from tests.checks.tls.looking import FAR, NAME, NOW, START, values
from tests.pki import DAY, issue


def judged(*chain: Certificate, problem: str = "", params: TlsParams | None = None, **known: Any) -> Outcome:
    shown = Shown(Examined(chain, **known), Handshake("TLSv1.3", (), problem=problem, cipher="X", bits=256))
    return judge(Subject(NAME, NAME, NOW.timestamp()), shown, params or TlsParams(), {})


@pytest.mark.parametrize(
    ("left", "state", "step", "summary"),
    [
        (31, State.OK, "", "portal.bk.example: the certificate is good until 2026-12-24"),
        (
            30,
            State.WARN,
            "30 d",
            "portal.bk.example: the certificate expires on 2026-12-23 (30 days left): renew it on the server",
        ),
        (
            13,
            State.WARN,
            "14 d",
            "portal.bk.example: the certificate expires on 2026-12-06 (13 days left): renew it on the server",
        ),
        (
            7,
            State.CRIT,
            "7 d",
            "portal.bk.example: the certificate expires on 2026-11-30 (7 days left): renew it on the server",
        ),
        (
            1,
            State.CRIT,
            "1 d",
            "portal.bk.example: the certificate expires on 2026-11-24 (1 day left): renew it on the server",
        ),
    ],
)
def test_a_certificate_that_ends_soon_warns_in_time_and_each_step_is_an_event(
    left: int, state: State, step: str, summary: str
) -> None:
    outcome = judged(*values(issue(NAME, NAME, start=START, end=NOW + left * DAY)))
    assert (outcome.state, outcome.summary) == (state, summary)
    assert outcome.reason == ("expires-soon" if state is not State.OK else "")
    assert outcome.facts["expires_within"] == step


def test_a_certificate_of_the_future_points_at_the_clocks() -> None:
    outcome = judged(*values(issue(NAME, NAME, start=NOW + 2 * DAY, end=NOW + 400 * DAY)))
    assert (outcome.state, outcome.reason) == (State.CRIT, "not-yet-valid")
    assert outcome.summary == (
        "portal.bk.example: the certificate is valid only from 2026-11-25: "
        "compare the clocks of the server and this agent"
    )


def test_several_faults_are_all_told() -> None:
    leaf = issue("x", "x.example", start=START, end=NOW - DAY)
    outcome = judged(*values(leaf), problem="the chain is not valid (pathlen)", revoked=("x",))
    assert outcome.reason == "expired"
    assert outcome.summary == (
        "portal.bk.example: the certificate expired on 2026-11-22 (1 day ago): renew it on the server; "
        "the certificate is for x.example, not for this name: install the right one, or correct server_name; "
        "the chain is not valid (pathlen); "
        "'x' is on its authority's revocation list: replace it at once"
    )


@pytest.mark.parametrize(
    ("changed", "reason", "words"),
    [
        ({"key": "RSA", "bits": 1024}, "weak-key", "the key of 'portal.bk.example' is weak (RSA of 1024 bits)"),
        ({"key": "EC", "bits": 192}, "weak-key", "the key of 'portal.bk.example' is weak (EC of 192 bits)"),
        ({"key": "DSA", "bits": 3072}, "weak-key", "the key of 'portal.bk.example' is weak (DSA of 3072 bits)"),
        (
            {"signature": "md5", "self_signed": False},
            "weak-signature",
            "'portal.bk.example' is signed by way of md5, which can be forged",
        ),
    ],
)
def test_what_is_weak_warns_and_is_critical_once_clients_refuse_it(
    changed: dict[str, Any], reason: str, words: str
) -> None:
    (leaf,) = values(issue(NAME, NAME, start=START, end=FAR))
    weak = msgspec.structs.replace(leaf, **changed)
    for problem, state in (("", State.WARN), (WEAK, State.CRIT)):
        outcome = judged(weak, problem=problem)
        assert (outcome.state, outcome.reason) == (state, reason)
        assert words in outcome.summary


def test_nobody_relies_on_what_a_certificate_says_of_itself() -> None:
    (root,) = values(issue(NAME, NAME, authority=True, start=START, end=FAR))
    assert judged(msgspec.structs.replace(root, signature="sha1")).state is State.OK


def test_a_revocation_list_that_is_missing_says_nothing_of_the_certificate() -> None:
    outcome = judged(
        *values(issue(NAME, NAME, start=START, end=FAR)), unknown="the revocation list of 'BK Root CA' is missing"
    )
    assert (outcome.state, outcome.reason) == (State.UNKNOWN, "crl")
    assert outcome.summary == (
        "portal.bk.example: the revocation list of 'BK Root CA' is missing: bring crl_file up to date"
    )


def test_ten_thousand_names_make_no_long_sentence() -> None:
    (leaf,) = values(issue(NAME, start=START, end=FAR))
    outcome = judged(msgspec.structs.replace(leaf, names=tuple(f"san{n}.example" for n in range(10_000))))
    assert "is for san0.example, san1.example, san2.example, san3.example, san4.example and 9995 more, not" in (
        outcome.summary
    )
    assert len(outcome.facts["names"]) < 100


def test_what_is_sent_may_end_before_the_chain_in_use_and_after_it() -> None:
    """As blackbox_exporter's probe_ssl_earliest_cert_expiry and probe_ssl_last_chain_expiry_timestamp_seconds."""
    root = issue("Root", authority=True, start=START, end=NOW + 50 * DAY)
    old = issue("Old", authority=True, by=root, start=START, end=NOW - DAY)
    chain = values(issue(NAME, NAME, by=root, start=START, end=NOW + 100 * DAY), root)
    chain = (chain[0], msgspec.structs.replace(chain[1], sent=False))
    found = {m.name: m.value for m in judged(*chain, spare=values(old)).metrics if not m.instance}
    assert found == pytest.approx({"tls.chain.days_left": 50, "tls.sent.days_left": -1})
    found = {m.name: m.value for m in judged(*chain).metrics if not m.instance}
    assert found == pytest.approx({"tls.chain.days_left": 50, "tls.sent.days_left": 100})


def test_hysteresis_is_the_job_s() -> None:
    params = TlsParams(levels=msgspec.structs.replace(TlsParams().levels, margin=2))
    (leaf,) = values(issue(NAME, NAME, start=START, end=NOW + 31 * DAY))
    memory: dict[str, Any] = {}

    def at(day: float) -> State:
        now = (NOW + datetime.timedelta(days=day)).timestamp()
        return judge(Subject(NAME, NAME, now), Shown(Examined((leaf,), anchored=True)), params, memory).state

    assert [at(0), at(1.5), at(0), at(-1.5)] == [State.OK, State.WARN, State.WARN, State.OK]
