from __future__ import annotations

import datetime

from hypothesis import example, given
from hypothesis import strategies as st

from checks.tls.examine import answer
from checks.tls.examined import Asked, Examined, Failed
from tests.checks.tls.looking import FAR, NAME, NOW, START
from tests.pki import DAY, issue

ROOT = issue("BK Root CA", authority=True, start=START, end=FAR)
MIDDLE = issue("BK Intermediate CA", authority=True, by=ROOT, start=START, end=NOW + 90 * DAY)
LEAF = issue(NAME, NAME, "192.0.2.1", by=MIDDLE, start=START, end=FAR)
OTHER = issue("Other", authority=True, start=START, end=FAR)
AT = NOW.timestamp()


def examined(asked: Asked) -> Examined:
    found = answer(asked)
    assert isinstance(found, Examined), found
    return found


def test_a_chain_is_found_in_any_order_and_without_what_does_not_belong() -> None:
    found = examined(Asked(at=AT, sent=(LEAF.der, OTHER.der, ROOT.der, MIDDLE.der)))
    assert [one.subject for one in found.chain] == [NAME, "BK Intermediate CA", "BK Root CA"]
    assert [one.subject for one in found.spare] == ["Other"]
    assert not found.anchored


def test_the_chain_that_verification_used_comes_first_and_its_anchor_was_not_sent() -> None:
    used = (LEAF.der, MIDDLE.der, ROOT.der)
    found = examined(Asked(at=AT, sent=(LEAF.der, MIDDLE.der), used=used))
    assert [(one.subject, one.sent) for one in found.chain] == [
        (NAME, True),
        ("BK Intermediate CA", True),
        ("BK Root CA", False),
    ]
    assert found.anchored


def test_the_answer_holds_until_a_validity_begins_or_ends() -> None:
    chain = (LEAF.der, MIDDLE.der, ROOT.der)

    def until(at: datetime.datetime) -> float:
        return examined(Asked(at=at.timestamp(), sent=chain)).until

    assert until(START - DAY) == START.timestamp()
    assert until(NOW) == (NOW + 90 * DAY).timestamp()
    assert until(NOW + 90 * DAY) == FAR.timestamp()
    assert until(FAR) == float("inf")


def test_names_keys_and_issuers_are_read() -> None:
    (leaf, *_) = examined(Asked(at=AT, sent=(LEAF.der,))).chain
    assert (leaf.names, leaf.key, leaf.bits, leaf.signature) == ((NAME, "192.0.2.1"), "EC", 256, "sha256")
    assert (leaf.issuer, leaf.self_signed) == ("BK Intermediate CA", False)


@given(st.binary(max_size=200))
def test_bytes_that_are_no_certificate_are_malformed(der: bytes) -> None:
    found = answer(Asked(at=AT, sent=(der,)))
    assert isinstance(found, Failed)
    assert found.reason == "malformed"


@example(12, 3, True)  # a version that there is not
@given(st.integers(0, len(LEAF.der) - 1), st.integers(0, 255), st.booleans())
def test_a_certificate_with_a_wrong_byte_is_read_or_said_to_be_malformed(at: int, byte: int, strict: bool) -> None:
    der = LEAF.der[:at] + bytes((byte,)) + LEAF.der[at + 1 :]
    asked = Asked(
        at=AT, name=NAME, sent=(der, MIDDLE.der), used=(der, MIDDLE.der, ROOT.der), strict=strict, staple=b"x"
    )
    found = answer(asked)
    assert isinstance(found, Examined) or found.reason == "malformed"
