"""Out to people through Apprise: one :class:`AppriseNotifier` a destination URL.

An Apprise URL holds secrets (passwords, tokens, even in the place of the host). It is never logged: a destination goes
by its scheme and host as Apprise itself masks them, and what Apprise says of a failure is cleaned of the URL's parts.
"""

from __future__ import annotations

import logging
import urllib.parse
import warnings
from collections.abc import Iterable

import apprise

from alerts.messages import Message, NoticeKind, plain
from alerts.model import Severity
from alerts.pipeline import NotifyError

_SHORTEST_SECRET = 4
_TYPES = {
    Severity.INFO: apprise.NotifyType.INFO,
    Severity.WARNING: apprise.NotifyType.WARNING,
    Severity.MAJOR: apprise.NotifyType.FAILURE,
    Severity.CRITICAL: apprise.NotifyType.FAILURE,
}


class AppriseNotifier:
    """A destination named by an Apprise URL (``mailtos://``, ``tgram://``, ``json://`` …).

    ``timeout`` is in seconds, for one attempt. ``place`` says where the URL was written, for the error. Raises
    ValueError, without the URL, when Apprise cannot use it.
    """

    def __init__(self, url: str, *, timeout: float = 15.0, place: str = "notification URL") -> None:
        _keep_apprise_quiet()
        asset = apprise.AppriseAsset(
            app_id="thongsuot", app_desc="thongsuot", storage_mode="memory", service_timeout=timeout
        )
        self._apprise = apprise.Apprise(asset=asset)
        with warnings.catch_warnings():
            # The first URL loads every plug-in of Apprise, and their libraries warn of their own future.
            warnings.simplefilter("ignore", DeprecationWarning)
            usable = self._apprise.add(url)
        if not usable:
            raise ValueError(f"{place}: {_complaint(url)}")
        self._timeout = timeout
        self._name = _masked(self._apprise.urls(privacy=True)[0])
        self._secrets = _secrets(url, self._name)

    @property
    def name(self) -> str:
        """Scheme and host, masked where they are secret."""
        return self._name

    async def send(self, message: Message, kind: NoticeKind, severity: Severity) -> None:
        """Hands a message to Apprise as plain text. Raises NotifyError with what Apprise says of the failure."""
        result = await self._apprise.async_notify(
            body=message.body,
            title=message.title,
            notify_type=apprise.NotifyType.SUCCESS if kind is NoticeKind.CLOSED else _TYPES[severity],
            body_format=apprise.NotifyFormat.TEXT,
        )
        if result:
            return
        said = [self._clean(entry.message) for entry in result.logs()]
        why = "; ".join(said) or f"no answer within {self._timeout:g} s"
        raise NotifyError(f"{self._name}: {why}")

    def _clean(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return plain(text)


def notifiers_of(urls: Iterable[str], place: str) -> tuple[AppriseNotifier, ...]:
    """One notifier for each URL of a list that is written at ``place``. Raises ValueError naming the first that cannot
    be used by its number there, from 0, and what was expected."""
    return tuple(AppriseNotifier(url, place=f"{place}[{n}]") for n, url in enumerate(urls))


def _complaint(url: str) -> str:
    """What is wrong with a URL that Apprise refused, by its scheme alone."""
    scheme = url.partition("://")[0] if "://" in url else ""
    if not scheme.isalnum():
        return "expected an Apprise URL such as mailtos://user:password@host or json://host/path"
    return (
        f"Apprise knows no service {scheme}://, or the URL lacks a part that the service needs: "
        "compare it with https://appriseit.com/services/"
    )


def _keep_apprise_quiet() -> None:
    """Apprise writes URLs that it cannot use to its log, in parts unmasked. What matters comes back in results."""
    logger = logging.getLogger("apprise")
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())


def _masked(url: str) -> str:
    """Scheme and host of a URL that Apprise has masked."""
    scheme, _, rest = url.partition("://")
    authority = rest.partition("?")[0].partition("/")[0]
    return f"{scheme}://{urllib.parse.unquote(authority.rpartition('@')[2])}"


def _secrets(url: str, name: str) -> tuple[str, ...]:
    """The parts of a URL that its name does not show, as written and decoded, longest first."""
    rest = url.partition("://")[2]
    for mark in "/?&=@:#+":
        rest = rest.replace(mark, " ")
    parts = {form for part in rest.split() for form in (part, urllib.parse.unquote(part))}
    hidden = (part for part in parts if len(part) >= _SHORTEST_SECRET and part not in name)
    return tuple(sorted(hidden, key=len, reverse=True))
