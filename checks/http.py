"""Whether a web service answers as it should, and where the time goes."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import Annotated, Literal
from urllib.parse import SplitResult, quote, urljoin, urlsplit

import msgspec

from checks import tcp
from checks.contract import Check, Context, Params, Secret, Target
from checks.errors import ObserverError, TargetError
from checks.findings import Finding, conclude, level
from checks.levels import Levels
from checks.model import Metric, Outcome, State
from checks.net.http1 import Connection, HttpError, Response, authority
from checks.net.reach import Family, by_family
from checks.net.stream import explained, tls_context

_URL_SIGNS = "/?%:@!$&'()*+,;=~"  # RFC 3986, besides what never needs escaping
_REDIRECTS = (301, 302, 303, 307, 308)


class HttpParams(Params, frozen=True):
    """``expect_status`` lists codes and ranges; ``body`` is a regular expression to find in the page (its first MB).
    ``authorization`` is the value of that header, sent to the target's own host alone. ``redirects`` is how many
    may be followed; with 0 the redirect itself is judged. ``redirect_to`` says where they may lead: ``same-host``, or
    ``secure``, never from https to http. ``body_without`` is a regular expression that must not be in the page, such as
    the words of a defacement; ``expect_headers`` gives one for each response header that must be there. ``levels`` are
    for the whole time in seconds."""

    method: Literal["GET", "HEAD", "POST", "OPTIONS"] = "GET"
    expect_status: str = "200-399"
    body: str = ""
    body_without: str = ""
    expect_headers: dict[str, str] = msgspec.field(default_factory=dict)
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    authorization: Secret = ""
    verify: bool = True
    ca_file: str = ""
    redirects: Annotated[int, msgspec.Meta(ge=0, le=10)] = 3
    redirect_to: Literal["anywhere", "same-host", "secure"] = "anywhere"
    family: Family = "any"
    levels: Levels = Levels()

    def __post_init__(self) -> None:
        tcp.compiled("body", self.body)
        tcp.compiled("body_without", self.body_without)
        for name, pattern in self.expect_headers.items():
            tcp.compiled(f"expect_headers {name}:", pattern)
        statuses(self.expect_status)


def statuses(text: str) -> tuple[range, ...]:
    """``200-299,401`` as ranges. Raises ValueError naming what was expected."""
    ranges = []
    for part in text.split(","):
        low, _, high = part.strip().partition("-")
        high = high or low
        if not (low.isascii() and low.isdigit() and high.isascii() and high.isdigit()):
            raise ValueError(f"expect_status {text!r}: expected codes and ranges such as 200-299,401")
        ranges.append(range(int(low), int(high) + 1))
    return tuple(ranges)


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a URL points. ``host`` is in ASCII (IDNA), ``path`` holds the query too."""

    tls: bool
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """host:port as in a URL."""
        return authority(self.host, self.port, tls=self.tls)


def place(url: str) -> Place:
    """Takes an http or https URL apart. Raises ObserverError naming what was expected."""
    try:
        parts: SplitResult = urlsplit(url)
        port = parts.port
        host = (parts.hostname or "").encode("idna").decode() if ":" not in (parts.hostname or "") else parts.hostname
    except (ValueError, UnicodeError) as error:
        raise ObserverError("bad-target", f"target {url!r}: not a URL: {error}") from error
    if parts.scheme not in ("http", "https") or not host:
        raise ObserverError("bad-target", f"target {url!r}: expected http://host/path or https://host/path")
    if parts.username is not None:
        raise ObserverError("bad-target", f"target at {host}: a URL is shown to all: give its user as authorization")
    tls = parts.scheme == "https"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Place(tls, host, port or (443 if tls else 80), quote(path, safe=_URL_SIGNS))


@dataclasses.dataclass(frozen=True)
class Answer:
    """The last response, the seconds of all requests by part, and the URL that gave it."""

    url: str
    response: Response
    parts: dict[str, float]

    @property
    def total(self) -> float:
        """Seconds, redirects included."""
        return sum(self.parts.values())


async def run(target: Target, params: HttpParams, ctx: Context) -> Outcome:
    """Requests the URL, follows redirects, judges the last answer."""

    async def look(ctx: Context) -> Outcome:
        return judge(target.address, await fetch(target.address, params, ctx), params, ctx)

    return await by_family(params.family, target.address, ctx, look)


async def fetch(url: str, params: HttpParams, ctx: Context) -> Answer:
    """The last response. Raises CheckError, or OSError from below."""
    where = home = place(url)
    parts: dict[str, float] = {}
    for _ in range(params.redirects + 1):
        response = await _ask(where, home, params, ctx, parts)
        location = response.header("location")
        if not params.redirects or response.status not in _REDIRECTS or not location:
            return Answer(url, response, parts)
        url = urljoin(url, location)
        where = _followed(where, url, params.redirect_to)
    text = f"{home.authority}: redirects more than {params.redirects} times, at last to {url}"
    raise TargetError("redirect", text, answered=True)


def _followed(here: Place, url: str, allowed: str) -> Place:
    """Where a redirect leads. Raises TargetError when it may not be followed."""
    try:
        there = place(url)
    except ObserverError as error:
        text = f"{here.authority}: redirects to {url!r}, which is no http or https URL"
        raise TargetError("redirect", text, answered=True) from error
    if allowed == "same-host" and there.host != here.host:
        text = f"{here.authority}: redirects to {url!r} on another host"
        raise TargetError("redirect", text, answered=True)
    if allowed == "secure" and here.tls and not there.tls:
        text = f"{here.authority}: redirects from https to {url!r}, where anybody on the way may read and change"
        raise TargetError("redirect", text, answered=True)
    return there


async def _ask(where: Place, home: Place, params: HttpParams, ctx: Context, parts: dict[str, float]) -> Response:
    context = None
    if where.tls:
        context = tls_context(verify=params.verify, ca_file=params.ca_file)
    headers = dict(params.headers)
    if params.authorization and (where.tls, where.host, where.port) == (home.tls, home.host, home.port):
        headers["Authorization"] = params.authorization
    connected = await tcp.connect(ctx, where.host, where.port)
    try:
        with explained(where.authority):
            connection = await Connection.over(
                connected.sock, host=where.authority, tls=context, server_name=where.host, connect=connected.connect
            )
        async with connection:
            response = await connection.request(params.method, where.path, headers)
    except HttpError as error:
        if error.reason == "bad-request":
            raise ObserverError("bad-params", f"{where.authority}: {error}") from error
        raise TargetError(error.reason, f"{where.authority}: {error}", answered=True) from error
    timings = response.timings
    for name, seconds in (
        ("dns", connected.lookup),
        ("connect", timings.connect),
        ("tls", timings.tls),
        ("first_byte", timings.first_byte),
        ("transfer", timings.transfer),
    ):
        parts[name] = parts.get(name, 0.0) + seconds
    return response


def judge(url: str, answer: Answer, params: HttpParams, ctx: Context) -> Outcome:
    """The outcome of an answer, by status, body and time."""
    response = answer.response
    findings = list(_findings(url, answer, params))
    state = level(ctx.memory, "total", answer.total, params.levels)
    findings.append(Finding(state, "slow", f"slow: the answer took {answer.total:.3g} s"))
    metrics = [
        Metric("http.client.request.duration", answer.total, "s"),
        *(Metric("http.client.phase.duration", seconds, "s", part) for part, seconds in answer.parts.items()),
        Metric("http.response.status_code", response.status, "1"),
        Metric("http.response.body.size", len(response.body), "By"),
    ]
    return conclude(url, "answers as expected", findings, metrics=metrics)


def _findings(url: str, answer: Answer, params: HttpParams) -> Iterator[Finding]:
    response = answer.response
    if not any(response.status in allowed for allowed in statuses(params.expect_status)):
        via = f" at {answer.url}" if answer.url != url else ""
        text = f"answered with status {response.status}{via} where {params.expect_status} was expected"
        yield Finding(State.CRIT, "status", text)
        return  # the page and the headers are those of an error
    page = response.body.decode(errors="replace") if params.body or params.body_without else ""
    if params.body and not re.search(params.body, page):
        yield Finding(State.CRIT, "body", f"the page does not hold {params.body!r}")
    if params.body_without and (bad := re.search(params.body_without, page)):
        yield Finding(State.CRIT, "body", f"the page holds {bad[0][:80]!r}, which it must not")
    for name, pattern in params.expect_headers.items():
        value = response.header(name)
        if not value or not re.search(pattern, value):
            said = f"says {value[:80]!r}" if value else "is missing"
            yield Finding(State.CRIT, "header", f"the header {name} {said} where {pattern!r} was expected")


CHECK = Check(
    name="http",
    about="whether a web service answers as it should",
    target="an http or https URL",
    params=HttpParams,
    run=run,
)
