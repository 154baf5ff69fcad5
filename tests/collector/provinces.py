"""A small province for tests: a centre, a district with an agent, two communes without."""

from __future__ import annotations

import datetime

from checks.registry import CHECKS
from checks.topology import Register, Topology, loads

TEXT = """
province: {name: Bắc Kạn, name_en: Bac Kan, timezone: Asia/Ho_Chi_Minh}
tiers: [{id: province, vi: Cấp tỉnh, en: Province}, {id: district, vi: Cấp huyện, en: District},
        {id: commune, vi: Cấp xã, en: Commune}]
categories: [{id: party, vi: Đảng, en: Party}, {id: agency, vi: UBND, en: Agency}]
templates:
  centre: {tier: province, measured_by: self, checks: [{check: host}]}
  district:
    tier: district
    measured_by: self
    checks: [{check: host}]
    devices: [{id: r1, kind: router, host: 1}]
    offices: [{id: party, vi: Huyện ủy, category: party}, {id: committee, vi: UBND, category: agency}]
  commune:
    tier: commune
    measured_by: parent
    devices: [{id: r1, kind: router, host: 1, checks: [{check: snmp, params: {community: "secret:c"}}]}]
    offices: [{id: party, vi: Đảng ủy, category: party}, {id: committee, vi: UBND, category: agency}]
nodes:
  - {id: bk, name: Bắc Kạn, template: centre}
  - {id: d1, name: Chợ Đồn, template: district, parent: bk, prefix: 10.1.0.0/24, at: [22.19, 105.54]}
  - {id: c1, name: Bản Thi, template: commune, parent: d1, prefix: 10.1.1.0/24}
  - {id: c2, name: Bằng Lũng, template: commune, parent: d1, prefix: 10.1.2.0/24}
"""
DAY = datetime.date(2025, 6, 1)
SECRETS = {"c": "community-of-the-test"}


def topology() -> Topology:
    """The province."""
    return loads(TEXT, "province.yaml", CHECKS)


def register() -> Register:
    """Its register."""
    return topology().on(DAY)
