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
from collector.configs.windows import ChangeWindow
from collector.coverage import PROOF_WINDOW
from collector.store.server import InfluxSettings
from service.settings import SettingsError, load

DEFAULT_FILE = Path("/etc/thongsuot/collector.toml")
DEFAULT_STATE_DIR = "/var/lib/thongsuot-collector"
PREFIX = "THONGSUOT_COLLECTOR_"


class Listen(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the page and its API, and where the agents are served. The agents' address speaks TLS when it has a
    certificate; without one it is for loopback alone. ``reflector`` sends STAMP test packets back, over UDP; empty
    means off. Its key is the secret ``stamp``."""

    page: str = "127.0.0.1:8080"
    agents: str = ""
    reflector: str = ""
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


class ChangeSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When the configurations of devices may change: windows that were approved beforehand."""

    windows: tuple[ChangeWindow, ...] = ()


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
    changes: ChangeSettings = ChangeSettings()
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
    _check_addresses(settings.listen, source)
    _check_times(settings, source)
    state_dir = settings.state_dir or environ.get("STATE_DIRECTORY", "").partition(":")[0] or DEFAULT_STATE_DIR
    return msgspec.structs.replace(settings, state_dir=state_dir)


def _check_addresses(listen: Listen, source: Path) -> None:
    """Raises SettingsError for an address that is none, and for one where agents' tokens would go in clear."""
    for name in ("page", "agents", "reflector"):
        address = getattr(listen, name)
        if address or name == "page":
            host_and_port(address, f"{source}: 'listen.{name}'")
    if bool(listen.certificate) is not bool(listen.key):
        raise SettingsError(f"{source}: 'listen': expected both certificate and key, or neither")
    if not listen.agents:  # then they report where the page is, which never speaks TLS
        name, remedy = "page", "give 'listen.agents' an address of its own, with a certificate"
    elif not listen.certificate:
        name, remedy = "agents", "set certificate and key"
    else:
        return
    host, _ = host_and_port(getattr(listen, name), f"{source}: 'listen.{name}'")
    if host not in ("localhost", "::1") and not host.startswith("127."):
        raise SettingsError(
            f"{source}: 'listen.{name}': agents would send their tokens to {host} in clear: "
            f"{remedy}, or listen on 127.0.0.1 behind a proxy that speaks TLS"
        )


def _check_times(settings: Settings, source: Path) -> None:
    """Raises SettingsError for times that contradict each other: alarms without end would follow, or data lost."""
    every, window, silent = settings.report_every, settings.proof_window, settings.alerts.silence.silent_after
    if not 0.2 <= every <= 3600:
        raise SettingsError(f"{source}: 'report_every': expected 0.2 to 3600 s, got {every:g}")
    if window < 2 * every:
        raise SettingsError(
            f"{source}: 'proof_window': {window:g} s is less than two reports of {every:g} s: "
            "one that is late would make an office count as not connected: set 60, or report more often"
        )
    if silent < 2 * every:
        raise SettingsError(
            f"{source}: 'alerts.silence.silent_after': {silent:g} s is less than two reports of {every:g} s: "
            "one that is late would be an incident: set more, or report more often"
        )
    if (beatless := settings.alerts.silence.beatless_after) < 2.5:
        raise SettingsError(
            f"{source}: 'alerts.silence.beatless_after': {beatless:g} s is less than the 2.5 s that an agent needs to "
            "find out that its packets are lost: set 2.75, or more"
        )
    if settings.store.retain_days < 1:
        raise SettingsError(
            f"{source}: 'store.retain_days': expected 1 or more, got {settings.store.retain_days}: "
            "measurements would be forgotten as they come"
        )


def host_and_port(address: str, where: str) -> tuple[str, int]:
    """``host:port`` or ``[v6]:port``. Raises SettingsError naming where it stands."""
    host, _, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise SettingsError(f"{where}: expected host:port such as 127.0.0.1:8080, got {address!r}")
    return host, int(port)
