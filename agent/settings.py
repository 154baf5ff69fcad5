"""What an agent is told on its own host: who it is, where its collector is, where it keeps its records.

A TOML file, over which the environment has the last word (``THONGSUOT_COLLECTOR`` for ``collector``, and so on).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from checks.contract import Network, Secret
from service.settings import SettingsError, read
from service.settings import load as settings_of

DEFAULT_FILE = Path("/etc/thongsuot/agent.toml")
DEFAULT_STATE_DIR = "/var/lib/thongsuot-agent"
PREFIX = "THONGSUOT_"
MIN_SPOOL_BYTES = 64 << 10


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The settings of an agent.

    ``node`` is the node's id in the topology. ``collector`` is a URL; http:// is taken for loopback alone.
    ``token`` (or the first line of ``token_file``) is this node's secret. ``ca_file`` is a PEM file of the
    authorities that may sign the collector's certificate; empty means the system's. ``state_dir`` holds the spool and
    the last good plan; empty means $STATE_DIRECTORY. ``allowed_prefixes`` are the networks that this agent may
    measure; empty means any.
    """

    node: str
    collector: str
    token: Secret = ""
    token_file: str = ""
    ca_file: str = ""
    state_dir: str = ""
    spool_max_bytes: int = 256 << 20
    allowed_prefixes: tuple[str, ...] = ()
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "json", "text"] = "auto"

    @property
    def directory(self) -> Path:
        """Where the agent keeps its records."""
        return Path(self.state_dir)

    def prefixes(self) -> tuple[Network, ...]:
        """``allowed_prefixes`` as networks."""
        return tuple(ipaddress.ip_network(text) for text in self.allowed_prefixes)


def load(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """The settings of a file and the environment. With no path, the default file, which may be missing.

    Raises SettingsError.
    """
    source = path or DEFAULT_FILE
    settings = settings_of(Settings, source, _ours(environ), PREFIX, required=path is not None)
    return _completed(settings, str(source), environ)


def state_directory(path: Path | None, environ: Mapping[str, str]) -> Path:
    """Where the agent of these settings keeps its records, without asking for its secrets. Raises SettingsError."""
    values = read(path or DEFAULT_FILE, required=path is not None)
    chosen = environ.get(f"{PREFIX}STATE_DIR") or values.get("state_dir")
    return Path(str(chosen)) if chosen else _default_directory(environ)


def _ours(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without what a collector on the same host is told."""
    return {name: value for name, value in environ.items() if not name.startswith(f"{PREFIX}COLLECTOR_")}


def _default_directory(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("STATE_DIRECTORY", "").partition(":")[0] or DEFAULT_STATE_DIR)


def _completed(settings: Settings, source: str, environ: Mapping[str, str]) -> Settings:
    if not settings.node or "/" in settings.node:
        raise SettingsError(f"{source}: 'node': expected a node's id of the topology, got {settings.node!r}")
    _check_url(settings.collector, source)
    for text in settings.allowed_prefixes:
        try:
            ipaddress.ip_network(text)
        except ValueError as error:
            raise SettingsError(
                f"{source}: 'allowed_prefixes': expected networks such as 10.12.0.0/16: {error}"
            ) from error
    if settings.spool_max_bytes < MIN_SPOOL_BYTES:
        raise SettingsError(
            f"{source}: 'spool_max_bytes': expected at least {MIN_SPOOL_BYTES}, got {settings.spool_max_bytes}"
        )
    if settings.ca_file and not Path(settings.ca_file).is_file():
        raise SettingsError(f"{source}: 'ca_file': no such file: {settings.ca_file}")
    state_dir = settings.state_dir or str(_default_directory(environ))
    return msgspec.structs.replace(settings, token=_token(settings, source), state_dir=state_dir)


def _check_url(url: str, source: str) -> None:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise SettingsError(f"{source}: 'collector': {url!r} is not a URL: {error}") from error
    if parts.scheme not in ("https", "http") or not host or parts.query or parts.username:
        raise SettingsError(f"{source}: 'collector': expected a URL such as https://collector.example.vn, got {url!r}")
    if parts.scheme == "http" and not _is_loopback(host):
        raise SettingsError(
            f"{source}: 'collector': {url!r} would send the token in clear: expected https:// "
            "(http:// is for a collector on this host, such as http://127.0.0.1:8080)"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _token(settings: Settings, source: str) -> str:
    token, place = settings.token, f"{source}: 'token'"
    if not token and settings.token_file:
        place = settings.token_file
        try:
            token = Path(settings.token_file).read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{source}: 'token_file': {settings.token_file} cannot be read: {error}") from error
    if not token:
        raise SettingsError(f"{place}: no token: set 'token' or 'token_file' to what the collector gave this node")
    if not token.isascii() or not token.isprintable() or " " in token:
        raise SettingsError(f"{place}: expected a token of printable ASCII on one line")
    return token
