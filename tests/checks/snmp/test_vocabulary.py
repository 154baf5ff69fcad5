"""The words that profiles are written in, and that every file keeps to them."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from checks.snmp import library, vocabulary
from checks.snmp.library import ProfileError
from checks.snmp.report import METRICS
from checks.snmp.vocabulary import Fact, Head, Kind, Memory, Neighbour, Profile, Ref, Sensor, Session, State, ref

RULE = "name label index where unless gives lacking"


def fields(kind: type[msgspec.Struct]) -> set[str]:
    return {field.name for field in msgspec.structs.fields(kind)}


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Head, "vendor match descr include moved"),
        (Profile, "vendor match descr include moved sensor state memory session neighbour fact"),
        (Sensor, f"{RULE} value pattern kind by kinds divide scale precision of absent above below convert"),
        (Kind, "match kind divide"),
        (State, f"{RULE} value states"),
        (Memory, f"{RULE} used free total percent less unit convert"),
        (Session, f"{RULE} kind value states address peer asn since admin disabled"),
        (Neighbour, f"{RULE} kind value port local"),
        (Fact, f"{RULE} fact value pattern"),
    ],
)
def test_the_vocabulary_is_closed(kind: type[msgspec.Struct], words: str) -> None:
    """Whoever adds a word adds it here too, having seen that no other will do."""
    assert fields(kind) == set(words.split())


def test_every_class_of_sensor_has_a_metric() -> None:
    assert set(METRICS) == set(vocabulary.Class.__args__)  # type: ignore[attr-defined]  # a Literal's


@pytest.mark.parametrize("name", library.names())
def test_every_profile_that_is_shipped_is_valid(name: str) -> None:
    rules = library.rules(name)

    assert rules
    given = {rule.gives for rule in rules} | {"cpu", "memory", "host memory", "lldp"}  # of whoever includes it
    assert {word for rule in rules for word in rule.lacking} <= given


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.3.6.1.2.1.2.2.1.2", Ref("1.3.6.1.2.1.2.2.1.2")),
        ("1.3.6.1.2.1.1.3.0", Ref("1.3.6.1.2.1.1.3", at="0")),
        ("1.3.6.1.2.1.25.2.3.1.5@1.7", Ref("1.3.6.1.2.1.25.2.3.1.5", at="1.7")),
        ("1.3.6.1.2.1.31.1.1.1.1[-1]", Ref("1.3.6.1.2.1.31.1.1.1.1", part=(-1, None))),
        ("1.3.6.1.2.1.31.1.1.1.1[1:3]", Ref("1.3.6.1.2.1.31.1.1.1.1", part=(1, 3))),
        ("1.3.6.1.1.7 < 1.3.6.1.2.2", Ref("1.3.6.1.1.7", via="1.3.6.1.2.2")),
    ],
)
def test_a_reference_says_where_something_stands(text: str, expected: Ref) -> None:
    assert ref(text) == expected


def test_a_reference_is_resolved_at_the_index_of_a_row() -> None:
    assert ref("1.3.6.1.9").instance("4.7") == "1.3.6.1.9.4.7"
    assert ref("1.3.6.1.9.0").instance("4.7") == "1.3.6.1.9.0"
    assert ref("1.3.6.1.9[0]").instance("4.7") == "1.3.6.1.9.4"
    assert ref("1.3.6.1.9[1:]").instance("4.7.1") == "1.3.6.1.9.7.1"
    assert ref("1.3.6.1.9 < 1.3.6.1.8").instance("4") == "1.3.6.1.8.4"
    assert ref("1.3.6.1.9[3]").instance("4.7") == ""


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("vendor = 7", "acme.toml:1: Expected `str`, got `int`"),
        ('vendor = "x"\nmtach = []', "acme.toml:2: unknown parameter 'mtach': did you mean 'match'?"),
        (
            'vendor = "x"\n\n[[sensor]]\nkind = "cpu"\nvalue = "1.3.6.1.1"\ndivied = 10',
            "acme.toml:6: unknown parameter 'divied': did you mean 'divide'?",
        ),
        ('vendor = "x"\n[[sensor]]\nvalue = "1.3.6.1.1"', "acme.toml:2: expected either kind, or by and kinds"),
        (
            'vendor = ""\n[[fact]]\nfact = "model"\nvalue = "1.3.6.1.1"\n[[sensor]]\nkind = "heat"',
            "acme.toml:6: Invalid enum value 'heat'",
        ),
        ('vendor = "x"\n[[state]]\nvalue = "ifDescr"\nstates = {}', "acme.toml:3: Expected `str` matching regex"),
        (
            'vendor = "x"\n[[state]]\nvalue = "1.3.6.1.1"\nstates = { 1 = "good" }',
            "acme.toml:4: Expected `str` matching regex",
        ),
        (
            'vendor = "x"\n[[memory]]\nused = "1.3.6.1.1"',
            "acme.toml:2: expected two of used, free and total, or percent",
        ),
        (
            'vendor = "x"\n[[fact]]\nfact = "model"\nvalue = "1.3.6.1.1"\npattern = "("',
            "acme.toml:2: '(' is not a regular expression",
        ),
        (
            'vendor = "x"\n[[fact]]\nfact = "model"\nvalue = "1.3.6.1.1"\nlabel = "{nmae}"',
            "acme.toml:2: label '{nmae}': expected {name} and {index} alone",
        ),
        ('vendor = "x"\n[[fact]\n', "acme.toml:2: not TOML"),
    ],
)
def test_a_mistake_in_a_profile_names_file_and_line(tmp_path: Path, wrong: str, message: str) -> None:
    (tmp_path / "acme.toml").write_text(wrong)

    with pytest.raises(ProfileError) as caught:
        library.load("acme", tmp_path)
    assert str(caught.value).removeprefix(f"{tmp_path}/").startswith(message)


def test_a_profile_that_includes_one_that_is_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "acme.toml").write_text('vendor = "x"\ninclude = ["standrad"]')

    with pytest.raises(ProfileError, match=r"acme.toml: includes 'standrad', but there is no standrad.toml"):
        library.rules("acme", tmp_path)
