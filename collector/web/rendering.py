"""Templates to pages: language, words, filters, headers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlencode

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse

from collector.web import figures, geography
from collector.web.security import PAGE
from collector.web.words import LANGUAGES, Language, Words

YEAR: Final = 365 * 86_400


def environment() -> jinja2.Environment:
    """The templates: everything that comes from data is escaped, and a name that is not there is an error."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("collector.web"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "age": figures.age,
        "clock_time": figures.clock_time,
        "date": figures.date,
        "days": figures.days,
        "folded": geography.folded,
        "iso": figures.iso,
        "percent": figures.percent,
    }
    return made


def language_of(request: Request) -> Language:
    """``?lang=``, else the cookie, else Vietnamese."""
    for wish in (request.query_params.get("lang"), request.cookies.get("lang")):
        if wish in LANGUAGES:
            return wish
    return "vi"


class Pages:
    """Renders templates for requests. ``simulated`` gives the demo's banner, empty when all is real."""

    def __init__(self, clock: Callable[[], int], simulated: Callable[[], str]) -> None:
        self._templates = environment()
        self._clock = clock
        self._simulated = simulated

    def render(
        self, request: Request, template: str, context: dict[str, Any], *, here: str = "", status: int = 200
    ) -> HTMLResponse:
        """A page. ``here`` is the path of the menu entry that it is."""
        words = Words(language_of(request))
        shared = {
            "words": words,
            "now": self._clock(),
            "here": here,
            "ages": [words.text(pattern) for _, pattern in figures.AGES],
            "turned": "?" + urlencode({**request.query_params, "lang": words.second}),
            "simulated": self._simulated(),
        }
        html = self._templates.get_template(template).render(shared | context)
        response = HTMLResponse(html, status, dict(PAGE))
        if request.query_params.get("lang") in LANGUAGES:
            response.set_cookie("lang", words.first, max_age=YEAR, httponly=True, samesite="lax")
        return response

    def not_found(self, request: Request, title: str, advice: str, name: str) -> HTMLResponse:
        """A 404 in words."""
        context = {"status": 404, "title": title, "advice": advice, "name": name}
        return self.render(request, "error.html", context, status=404)
