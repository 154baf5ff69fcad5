"""The rows of a rule, as a device has them: the column that tells which there are, and what stands beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from checks.snmp.points import words
from checks.snmp.reader import SnmpReader, Value
from checks.snmp.vocabulary import AnyRule, Ref, compiled, ref


class Rows:
    """Reads columns; what several rules look at, a port's name, is asked for once."""

    def __init__(self, reader: SnmpReader) -> None:
        self._reader = reader
        self._walked: dict[str, dict[str, Value]] = {}
        self._known: dict[str, Value] = {}

    async def of(self, lead: Ref) -> dict[str, Value]:
        """Index → value of the rows that there are."""
        if lead.at is not None:
            oid = lead.instance("")
            values = await self.get([oid])
            return {lead.at: values[oid]} if oid in values else {}
        if lead.column not in self._walked:
            start = len(lead.column) + 1
            self._walked[lead.column] = {
                oid[start:]: value async for oid, value in self._reader.walk(lead.column) if len(oid) > start
            }
        return self._walked[lead.column]

    async def get(self, oids: Iterable[str]) -> dict[str, Value]:
        wanted = dict.fromkeys(filter(None, oids))
        new = [oid for oid in wanted if oid not in self._known]
        if new:
            self._known.update(dict.fromkeys(new, None))
            self._known.update(await self._reader.get(new))
        return {oid: value for oid in wanted if (value := self._known[oid]) is not None}

    async def look_up(self, refs: Iterable[str], indexes: Iterable[str]) -> dict[tuple[str, str], Value]:
        """(reference, index) → value, of what there is."""
        pairs = [(text, ref(text), index) for index in indexes for text in dict.fromkeys(refs)]
        first = await self.get(one.instance(index) for _, one, index in pairs)
        onward = {
            (text, index): f"{one.column}.{int(pointer)}"
            for text, one, index in pairs
            if one.via and isinstance(pointer := first.get(one.instance(index)), int) and pointer >= 0
        }
        second = await self.get(onward.values())
        found: dict[tuple[str, str], Value] = {}
        for text, one, index in pairs:
            values, oid = (second, onward.get((text, index), "")) if one.via else (first, one.instance(index))
            if oid in values:
                found[text, index] = values[oid]
        return found


class Row:
    """One row of a rule, with what was looked up for it."""

    def __init__(self, index: str, values: Mapping[tuple[str, str], Value]) -> None:
        self.index = index
        self._values = values

    def value(self, reference: str | None) -> Value:
        return self._values.get((reference, self.index)) if reference else None

    def first(self, references: Sequence[str]) -> str:
        """The first of several texts that is not empty."""
        return next((text for r in references if (text := words(self.value(r)))), "")

    def oid(self, reference: str | None) -> str:
        return ref(reference).instance(self.index) if reference else ""

    def name(self, rule: AnyRule) -> str:
        name = self.first(rule.name)
        index = "" if self.index == "0" else self.index
        if rule.label:
            return " ".join(rule.label.format(name=name or index, index=index).split())
        return name or self.index

    def passes(self, rule: AnyRule) -> bool:
        return all(compiled(pattern).search(words(self.value(r))) for r, pattern in rule.where.items()) and not any(
            compiled(pattern).search(words(self.value(r))) for r, pattern in rule.unless.items()
        )
