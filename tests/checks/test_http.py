from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks import http
from checks.contract import Context, SystemClock, Target, params_of
from checks.errors import ObserverError, TargetError
from checks.model import Outcome, State
from tests.checks.directory import directory
from tests.nginx import nginx
from tests.peers import free_port
from tests.pki import issue

ROUTES = """
location = / { return 200 "Cổng thông tin điện tử"; }
location = /old { return 302 /new; }
location = /new { return 200 "moved here"; }
location = /loop { return 302 /loop; }
location = /elsewhere { return 302 ftp://files.example/; }
location = /broken { return 503 "later"; }
location = /who { return 200 "$http_authorization|$http_x_node|$request_method|$http_host"; }
"""


def context(timeout: float = 5.0) -> Context:
    return Context(SystemClock(), timeout, {})


@dataclasses.dataclass(frozen=True)
class Portal:
    """A real nginx, in clear and over TLS for the name localhost."""

    clear: int
    tls: int
    other: int
    ca_file: str

    async def check(self, path: str, *, tls: bool = False, **params: Any) -> Outcome:
        base = f"https://localhost:{self.tls}" if tls else f"http://127.0.0.1:{self.clear}"
        return await http.run(Target("centre", base + path), params_of(http.CHECK, params), context())


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    folder = tmp_path_factory.mktemp("http")
    authority = issue("BK Root CA", authority=True)
    certificate, key = issue("localhost", "localhost", by=authority).write(folder, "localhost")
    ca_file = folder / "ca.pem"
    ca_file.write_bytes(authority.pem)
    clear, tls, other = free_port(), free_port(), free_port()
    away = f"location = /away {{ return 302 http://127.0.0.1:{other}/; }}"
    secure = f"{ROUTES} location = /down {{ return 301 http://localhost:{clear}/; }}"
    servers = [
        f"server {{ listen 127.0.0.1:{clear}; listen [::1]:{clear}; {ROUTES} {away} }}",
        f"server {{ listen 127.0.0.1:{tls} ssl; ssl_certificate {certificate}; ssl_certificate_key {key}; {secure} }}",
        f'server {{ listen 127.0.0.1:{other}; location / {{ return 200 "auth=$http_authorization."; }} }}',
    ]
    with nginx(folder, servers, [clear, tls, other]):
        yield Portal(clear, tls, other, str(ca_file))


@pytest.mark.peer
async def test_a_page_that_answers_is_well_and_its_time_is_taken_apart(portal: Portal) -> None:
    outcome = await portal.check("/", body="thông tin")
    assert (outcome.state, outcome.reason, outcome.answered) == (State.OK, "", True)
    assert outcome.summary == f"http://127.0.0.1:{portal.clear}/: answers as expected"
    metrics = {(metric.name, metric.instance): metric.value for metric in outcome.metrics}
    parts = [
        metrics["http.client.phase.duration", part] for part in ("dns", "connect", "tls", "first_byte", "transfer")
    ]
    assert metrics["http.client.request.duration", ""] == pytest.approx(sum(parts))
    assert metrics["http.response.status_code", ""] == 200
    assert metrics["http.response.body.size", ""] == len("Cổng thông tin điện tử".encode())


@pytest.mark.peer
async def test_tls_is_verified_against_the_authority(portal: Portal) -> None:
    assert (await portal.check("/", tls=True, ca_file=portal.ca_file)).state is State.OK
    assert (await portal.check("/", tls=True, verify=False)).state is State.OK
    with pytest.raises(TargetError) as caught:
        await portal.check("/", tls=True)
    assert (caught.value.reason, caught.value.answered) == ("untrusted", True)
    assert caught.value.summary == (
        f"localhost:{portal.tls}: its certificate is not accepted: unable to get local issuer certificate"
    )


@pytest.mark.peer
async def test_another_status_than_expected_is_critical_but_answered(portal: Portal) -> None:
    outcome = await portal.check("/broken")
    assert (outcome.state, outcome.reason, outcome.answered) == (State.CRIT, "status", True)
    assert outcome.summary == (
        f"http://127.0.0.1:{portal.clear}/broken: answered with status 503 where 200-399 was expected"
    )
    assert (await portal.check("/broken", expect_status="200, 500-503")).state is State.OK


@pytest.mark.peer
async def test_a_page_without_the_expected_words_is_critical(portal: Portal) -> None:
    outcome = await portal.check("/", body="Bắc Kạn")
    assert (outcome.state, outcome.reason) == (State.CRIT, "body")
    assert outcome.summary.endswith(": the page does not hold 'Bắc Kạn'")


@pytest.mark.peer
async def test_redirects_are_followed_as_far_as_allowed(portal: Portal) -> None:
    assert (await portal.check("/old", body="moved here")).state is State.OK
    assert (await portal.check("/old", redirects=0, expect_status="302")).state is State.OK
    with pytest.raises(TargetError, match=r": redirects more than 2 times, at last to http://127.0.0.1:\d+/loop$"):
        await portal.check("/loop", redirects=2)
    with pytest.raises(TargetError, match=r"redirects to 'ftp://files\.example/', which is no http or https URL"):
        await portal.check("/elsewhere")


@pytest.mark.peer
async def test_redirects_can_be_held_to_the_host_and_to_https(portal: Portal) -> None:
    assert (await portal.check("/old", redirect_to="same-host", body="moved here")).state is State.OK
    assert (await portal.check("/away", redirect_to="secure")).state is State.OK
    tls: dict[str, Any] = {"tls": True, "ca_file": portal.ca_file}
    assert (await portal.check("/down", **tls)).state is State.OK
    with pytest.raises(TargetError, match=r"redirects from https to 'http://localhost:\d+/', where anybody") as caught:
        await portal.check("/down", redirect_to="secure", **tls)
    assert (caught.value.reason, caught.value.answered) == ("redirect", True)
    url = f"http://localhost:{portal.clear}/away"
    params = params_of(http.CHECK, {"redirect_to": "same-host"})
    with pytest.raises(TargetError, match=r"^localhost:\d+: redirects to 'http://127.0.0.1:\d+/' on another host$"):
        await http.run(Target("centre", url), params, context())


@pytest.mark.peer
async def test_a_page_with_words_that_must_not_be_there_is_critical(portal: Portal) -> None:
    assert (await portal.check("/", body_without="(?i)hacked by")).state is State.OK
    outcome = await portal.check("/", body_without="điện .*")
    assert (outcome.state, outcome.reason) == (State.CRIT, "body")
    assert outcome.summary.endswith(": the page holds 'điện tử', which it must not")


@pytest.mark.peer
async def test_response_headers_are_looked_at(portal: Portal) -> None:
    assert (await portal.check("/", expect_headers={"Server": "^nginx"})).state is State.OK
    assert (await portal.check("/", expect_headers={"X-Frame-Options": ""})).reason == "header"
    moved: dict[str, Any] = {"redirects": 0, "expect_headers": {"location": "/new$"}}
    assert (await portal.check("/old", **moved)).state is State.OK
    outcome = await portal.check("/", expect_headers={"Strict-Transport-Security": "max-age", "server": "^IIS"})
    assert (outcome.state, outcome.reason) == (State.CRIT, "header")
    assert "the header Strict-Transport-Security is missing where 'max-age' was expected" in outcome.summary
    assert "the header server says 'nginx" in outcome.summary


@pytest.mark.peer
async def test_both_families_are_asked_and_their_phases_told_apart(portal: Portal) -> None:
    target, params = Target("n", f"http://portal.example:{portal.clear}/"), http.HttpParams(family="both")
    outcome = await http.run(target, params, directory("127.0.0.1", "::1"))
    assert (outcome.state, outcome.summary) == (State.OK, f"{target.address}: answers as expected, over IPv4 and IPv6")
    phases = {m.instance for m in outcome.metrics if m.name == "http.client.phase.duration"}
    assert phases == {f"{v}/{p}" for v in ("v4", "v6") for p in ("dns", "connect", "tls", "first_byte", "transfer")}


@pytest.mark.peer
async def test_headers_and_method_are_sent_and_a_credential_stays_at_home(portal: Portal) -> None:
    ours: dict[str, Any] = {"authorization": "Bearer s3cret", "headers": {"X-Node": "bk-1"}}
    told = rf"^Bearer s3cret\|bk-1\|GET\|127\.0\.0\.1:{portal.clear}$"
    assert (await portal.check("/who", body=told, **ours)).state is State.OK
    assert (await portal.check("/away", body=r"^auth=\.$", **ours)).state is State.OK
    assert (await portal.check("/who", method="HEAD")).state is State.OK


@pytest.mark.peer
async def test_a_slow_answer_is_judged_by_its_levels(portal: Portal) -> None:
    outcome = await portal.check("/", levels={"warn": 0})
    assert (outcome.state, outcome.reason) == (State.WARN, "slow")


async def test_an_unreachable_target_says_so() -> None:
    port = free_port()
    with pytest.raises(TargetError) as caught:
        await http.run(Target("n", f"http://127.0.0.1:{port}/"), http.HttpParams(), context())
    assert caught.value.reason == "refused"
    assert caught.value.summary == f"127.0.0.1:{port}: connection refused: nothing listens there"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"redirect": 1}, "check http: unknown parameter 'redirect': did you mean 'redirects'?"),
        (
            {"expect_status": "2xx"},
            "check http: expect_status '2xx': expected codes and ranges such as 200-299,401",
        ),
        (
            {"body_without": "a**"},
            "check http: body_without 'a**' is not a regular expression: multiple repeat at position 2",
        ),
        ({"method": "DELETE"}, "check http: Invalid enum value 'DELETE' at `method`"),
        ({"redirects": 99}, "check http: Expected `int` <= 10 at `redirects`"),
    ],
)
def test_a_wrong_parameter_is_named(values: dict[str, object], words: str) -> None:
    with pytest.raises(ObserverError) as caught:
        params_of(http.CHECK, values)
    assert (caught.value.reason, caught.value.summary) == ("bad-params", words)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("portal.bk.example", "target 'portal.bk.example': expected http://host/path or https://host/path"),
        ("ftp://a/", "target 'ftp://a/': expected http://host/path or https://host/path"),
        ("http://u:pw@a.example/", "target at a.example: a URL is shown to all: give its user as authorization"),
        ("http://a:99999/", "target 'http://a:99999/': not a URL: Port out of range 0-65535"),
    ],
)
def test_a_target_that_is_no_url_is_refused(url: str, words: str) -> None:
    with pytest.raises(ObserverError) as caught:
        http.place(url)
    assert (caught.value.reason, caught.value.summary) == ("bad-target", words)


@pytest.mark.parametrize(
    ("url", "place", "authority"),
    [
        ("https://a.example", http.Place(True, "a.example", 443, "/"), "a.example"),
        ("http://a.example:8080/x?y=1#z", http.Place(False, "a.example", 8080, "/x?y=1"), "a.example:8080"),
        ("http://a.example/cổng?q=a b&c=%20", http.Place(False, "a.example", 80, "/c%E1%BB%95ng?q=a%20b&c=%20"), None),
        ("http://[2001:db8::1]/", http.Place(False, "2001:db8::1", 80, "/"), "[2001:db8::1]"),
        ("https://bắckạn.example/", http.Place(True, "xn--bckn-5k6ay6j.example", 443, "/"), None),
    ],
)
def test_a_url_is_taken_apart(url: str, place: http.Place, authority: str | None) -> None:
    found = http.place(url)
    assert dataclasses.replace(found, host="") == dataclasses.replace(place, host="")
    assert found.host.isascii()
    if authority is not None:
        assert (found.host, found.authority) == (place.host, authority)


@given(st.text(max_size=40))
def test_no_text_makes_the_url_fail_in_another_way(text: str) -> None:
    for url in (text, f"http://{text}"):
        with contextlib.suppress(ObserverError):
            where = http.place(url)
            assert where.host
            assert (where.host + where.path).isascii()


async def test_a_ca_file_that_is_missing_is_our_own_fault(tmp_path: Path) -> None:
    params = http.HttpParams(ca_file=str(tmp_path / "none.pem"))
    with pytest.raises(ObserverError, match=r"ca_file .*none\.pem: No such file or directory: correct the path"):
        await http.run(Target("n", "https://127.0.0.1:1/"), params, context())
