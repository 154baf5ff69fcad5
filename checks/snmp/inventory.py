"""What a device is and has beside its interfaces: chosen by its profile, surveyed now and then, read in every run."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from checks.contract import Context
from checks.errors import CheckError
from checks.snmp import library
from checks.snmp.params import NO_PROFILE, SnmpParams
from checks.snmp.points import Point, Reading, read_all
from checks.snmp.reader import SnmpReader
from checks.snmp.survey import Found, Survey, read_points
from checks.snmp.tables import System

SURVEY_SHARE = 0.5
"""Of the time for a run: when no further rule of a survey is begun."""
HARD_SHARE = 0.8
"""Of the time for a run: when a survey is given up, so that the run still ends with what was read."""


class Inventory(msgspec.Struct, frozen=True):
    """What one run read of the device. ``silent`` are columns that it answered nothing about, although it answers;
    ``failed`` says that this was met in this run, so that the reader is to be thrown away."""

    profile: str = ""
    readings: tuple[Reading, ...] = ()
    found: tuple[Found, ...] = ()
    silent: tuple[str, ...] = ()
    failed: bool = False


async def read_inventory(
    reader: SnmpReader, system: System, params: SnmpParams, ctx: Context, began: float
) -> Inventory:
    """The device's readings. ``began`` is the start of the run, by the monotonic clock. Raises a CheckError only if the
    device answers nothing any more."""
    profile = params.profile or library.choose(system.object_id, system.descr)
    if profile == NO_PROFILE:
        return Inventory()
    survey = _survey_of(profile, system.object_id, ctx.memory)
    silent_before = survey.silent
    now = ctx.clock.monotonic
    if survey.due(now(), params.survey_every):
        try:
            async with asyncio.timeout(max(0.0, began + HARD_SHARE * ctx.timeout - now())):
                await survey.advance(reader, now, began + SURVEY_SHARE * ctx.timeout)
        except TimeoutError:
            survey.give_up()
    found = tuple(survey.found)
    points = [one for one in found if isinstance(one, Point)]
    try:
        values = await read_points(reader, points)
    except CheckError as error:
        if not error.answered:
            raise
        return Inventory(profile, (), found, (*survey.silent, error.summary), failed=True)
    survey.look_again(values, now())
    return Inventory(profile, read_all(points, values), found, survey.silent, survey.silent != silent_before)


def _survey_of(profile: str, object_id: str, memory: dict[str, Any]) -> Survey:
    """The survey of an earlier run; a new one when the device is another than it was."""
    kept: tuple[tuple[str, str], Survey] | None = memory.get("survey")
    if kept is None or kept[0] != (profile, object_id):
        kept = memory["survey"] = ((profile, object_id), Survey(library.rules(profile)))
    return kept[1]
