"""One device: asked with each credential until it answers one, then read."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from checks.contract import Address, Clock, Context
from checks.errors import CheckError
from checks.snmp import library, mib, report
from checks.snmp.access import access_of
from checks.snmp.gufo_reader import GufoReader
from checks.snmp.reader import SnmpReader, Value
from checks.snmp.survey import Survey
from checks.snmp.tables import text
from checks.snmp.vocabulary import Fact, Neighbour
from collector.discovery import kind
from collector.discovery.addresses import neighbours_addresses, own_addresses
from collector.discovery.credentials import Credential
from collector.discovery.found import Device

ENGINE_ID: Final = "1.3.6.1.6.3.10.2.1.1.0"  # snmpEngineID (RFC 3411)
GREETING: Final = (mib.SYS_DESCR, mib.SYS_OBJECT_ID, mib.SYS_NAME, ENGINE_ID, *kind.OBJECTS)
"""One packet."""
RETRIES: Final = 1
LONGEST: Final = 60.0
"""Seconds that the reading of one device may take."""


class Answer(NamedTuple):
    """A device that answered a credential."""

    address: str
    reader: SnmpReader
    credential: Credential
    values: dict[str, Value]

    @property
    def identity(self) -> tuple[Value, ...]:
        """What two addresses of one device answer alike."""
        return tuple(self.values.get(oid) for oid in (ENGINE_ID, mib.SYS_NAME, mib.SYS_OBJECT_ID, mib.SYS_DESCR))

    @property
    def has_engine(self) -> bool:
        """Whether the identity is its alone: names and models are not."""
        return bool(self.values.get(ENGINE_ID))


async def ask(address: Address, credentials: Sequence[Credential], clock: Clock) -> Answer | str:
    """The first answer, or why there is none."""
    why = ""
    for credential in credentials:
        params = msgspec.structs.replace(credential.params, retries=min(RETRIES, credential.params.retries))
        access = await access_of(str(address), params, Context(clock, LONGEST, {}), LONGEST)
        reader = GufoReader(access, clock)
        try:
            values = await reader.get(GREETING)
        except CheckError as error:
            if error.answered or not why:
                why = error.summary.removeprefix(f"{access.where}: ")
            if error.reason == "refused":
                break  # nobody is there to be asked again
            continue
        if values:
            return Answer(str(address), reader, credential, values)
        why = "answers SNMP, but shows nothing of the system group: widen the view of this community or user"
    return why


async def read(answer: Answer, clock: Clock) -> Device:
    """What the device is, has and hears. Where it stops answering, what was read until then."""
    values = answer.values
    descr, object_id = text(values.get(mib.SYS_DESCR)), text(values.get(mib.SYS_OBJECT_ID))
    profile = library.choose(object_id, descr)
    survey = Survey([rule for rule in library.rules(profile) if isinstance(rule, Neighbour | Fact)])
    own: tuple[str, ...] = ()
    heard: tuple[str, ...] = ()
    try:
        async with asyncio.timeout(LONGEST):
            own = await own_addresses(answer.reader)
            heard = await neighbours_addresses(answer.reader)
            await survey.advance(answer.reader, clock.monotonic, float("inf"))
    except (CheckError, TimeoutError):
        pass  # an entry can be made all the same
    facts = report.facts(survey.found)
    return Device(
        address=answer.address,
        kind=kind.kind_of(profile, (descr, facts.get("model", "")), values),
        name=text(values.get(mib.SYS_NAME)),
        descr=descr,
        object_id=object_id,
        profile=profile,
        snmp=answer.credential.written,
        facts=facts,
        addresses=own,
        heard=heard,
    )
