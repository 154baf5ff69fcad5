"""What the collector is told on its own host."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

from alerts.incidents import IncidentRule
from alerts.pipeline import Policy, Retry
from alerts.rules import JobRule
from alerts.silence import SilenceRule
from checks.contract import Secret
from collector.coverage import PROOF_WINDOW
from collector.store.server import InfluxSettings
from service.settings import SettingsError, load

DEFAULT_FILE = Path("/etc/thongsuot/collector.toml")
DEFAULT_STATE_DIR = "/var/lib/thongsuot-collector"
PREFIX = "THONGSUOT_COLLECTOR_"


class Listen(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the page and its API, and where the agents are served. The agents' address speaks TLS when it has a
    certificate; without one it is for loopback alone."""

    page: str = "127.0.0.1:8080"
    agents: str = ""
    certificate: str = ""
    key: str = ""


class StoreSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where measurements are kept, and for how many days. ``influx`` counts when ``kind`` says so."""

    kind: Literal["embedded", "influx"] = "embedded"
    influx: InfluxSettings = InfluxSettings(url="http://127.0.0.1:8086")
    retain_days: int = 30


class AlertSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When something becomes an alert, and an alert an incident."""

    job: JobRule = JobRule()
    silence: SilenceRule = SilenceRule()
    incident: IncidentRule = IncidentRule()


class NotifySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whom incidents are sent to: Apprise URLs, which may hold secrets and are never shown whole."""

    urls: tuple[Secret, ...] = ()
    policy: Policy = Policy()
    retry: Retry = Retry()


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The settings of a collector.

    ``state_dir`` holds everything that it must not lose; empty means $STATE_DIRECTORY. ``proof_window`` is for how
    many seconds a proof of traffic holds. ``register_day`` is the day whose register is in force; empty means today.
    ``secrets`` are what "secret:NAME" stands for in the topology.
    """

    topology: str = "/etc/thongsuot/topology.yaml"
    state_dir: str = ""
    register_day: datetime.date | None = None
    proof_window: float = PROOF_WINDOW
    report_every: float = 10.0
    listen: Listen = Listen()
    store: StoreSettings = StoreSettings()
    alerts: AlertSettings = AlertSettings()
    notify: NotifySettings = NotifySettings()
    secrets: dict[str, Secret] = {}
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "json", "text"] = "auto"

    @property
    def directory(self) -> Path:
        """Where the journal, the store and the state are."""
        return Path(self.state_dir)


def load_settings(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """The settings of a file and the environment; with no path, of the default file, which may be missing.

    Raises SettingsError.
    """
    source = path or DEFAULT_FILE
    settings = load(Settings, source, environ, PREFIX, required=path is not None)
    for name in ("page", "agents"):
        address = getattr(settings.listen, name)
        if address or name == "page":
            host_and_port(address, f"{source}: 'listen.{name}'")
    if bool(settings.listen.certificate) is not bool(settings.listen.key):
        raise SettingsError(f"{source}: 'listen': expected both certificate and key, or neither")
    if settings.listen.agents and not settings.listen.certificate:
        host, _ = host_and_port(settings.listen.agents, f"{source}: 'listen.agents'")
        if host not in ("localhost", "::1") and not host.startswith("127."):
            raise SettingsError(
                f"{source}: 'listen.agents': agents would send their tokens to {host} in clear: "
                "set certificate and key, or listen on 127.0.0.1 behind a proxy that speaks TLS"
            )
    state_dir = settings.state_dir or environ.get("STATE_DIRECTORY", "").partition(":")[0] or DEFAULT_STATE_DIR
    return msgspec.structs.replace(settings, state_dir=state_dir)


def host_and_port(address: str, where: str) -> tuple[str, int]:
    """``host:port`` or ``[v6]:port``. Raises SettingsError naming where it stands."""
    host, _, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise SettingsError(f"{where}: expected host:port such as 127.0.0.1:8080, got {address!r}")
    return host, int(port)
