"""What a browser is told to refuse, and from where it may be told to act."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request

COMMON: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
PAGE: Final = COMMON | {
    # No inline script or style, no eval: charts interpret their expressions. Nothing from elsewhere.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
IMAGE: Final = COMMON | {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",  # an SVG by itself: no script at all
    "Cache-Control": "no-store",
}


def same_origin(request: Request) -> bool:
    """Whether a browser sent this from one of our own pages.

    By Sec-Fetch-Site (Fetch Metadata, W3C) where there is one, else by Origin, which must name the host asked. A
    request with neither did not come from a page.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("origin", "")
    return bool(origin) and urlsplit(origin).netloc == request.headers.get("host")
