"""The small province, with a router whose configuration is kept."""

from __future__ import annotations

from checks.registry import CHECKS
from checks.topology import Topology, loads
from collector.centre import Centre
from tests.collector.provinces import TEXT

_ROUTER = "devices: [{id: r1, kind: router, host: 1}]\n    offices: [{id: party, vi: Huyện ủy"
_CHECK = 'checks: [{check: config, params: {platform: PLATFORM, username: u, password: "secret:c"}}]'


def with_config(platform: str) -> Topology:
    """Its district's router ``r1`` has the check ``config``."""
    assert _ROUTER in TEXT
    check = _CHECK.replace("PLATFORM", platform)
    return loads(TEXT.replace(_ROUTER, _ROUTER.replace("host: 1}", f"host: 1, {check}}}")), "province.yaml", CHECKS)


def told(centre: Centre, job: str) -> list[str]:
    """What open incidents say of a job."""
    alerts = (alert for incident in centre.answers.incidents(open_only=True) for alert in incident.alerts)
    return [alert.summary for alert in alerts if alert.job == job]
