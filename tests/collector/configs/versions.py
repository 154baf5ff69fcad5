"""Versions of a router's configuration."""

from __future__ import annotations

import hashlib

import zstandard

from checks.config.check import DOCUMENT
from checks.model import Outcome, State
from collector.configs.model import Version

JOB = "d1/config/r1"
BEFORE = "hostname r1\ninterface eth0\n ip address 10.1.0.1/24\nexit\nend\n"
CHANGE = "+1 -1 lines: “- ip address 10.1.0.1/24”, “+ ip address 10.1.0.2/24”"
AFTER = "hostname r1\ninterface eth0\n ip address 10.1.0.2/24\nexit\nend\n"


def hash_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def packed(text: str) -> bytes:
    return zstandard.ZstdCompressor().compress(text.encode())


def version(text: str, at: int, by: str = "", *, whole: bool = True) -> Version:
    return Version(hash_of(text), at, by, "d1", packed(text) if whole else b"")


def read(text: str, by: str = "", *, whole: bool = True) -> Outcome:
    """What an agent reports of a router with this configuration."""
    facts = {"config": hash_of(text)} | ({"config.by": by} if by else {})
    documents = {DOCUMENT: packed(text)} if whole else {}
    return Outcome(State.OK, "10.1.0.1: the configuration was read", answered=True, facts=facts, documents=documents)
