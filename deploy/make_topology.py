"""Makes topology.yaml, the province as shipped, from the tables of its administrative units.

    python deploy/make_topology.py --data DIR > topology.yaml

``DIR`` holds backan_legacy_districts.csv, backan_legacy_108_with_new.csv and thainguyen_new_from_backan.csv. The same
tables give the same bytes. The part without tables (words, templates) is deploy/topology_head.yaml.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

Row = Mapping[str, str]

REFORM: Final = "2025-07-01"
HEAD: Final = Path(__file__).with_name("topology_head.yaml")
CITY: Final = "058"
CITY_OFFICES: Final = (
    "{id: party, vi: Thành ủy, en: City Party Committee, category: party}",
    "{id: inspectorate, vi: Thanh tra thành phố, en: City Inspectorate, category: agency}",
)


def rows(file: Path) -> list[Row]:
    """The rows of a table, by column name."""
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def node(row: Row, ident: str, name: str, prefix: str, **more: str) -> str:
    """One node, in one line, its columns under those of the line before."""
    at = f"[{float(row['lat']):.4f}, {float(row['lon']):.4f}]"
    start = f"  - {{id: {f'{ident},':<8}name: {f'{name},':<28} at: {at}, prefix: {f'{prefix},':<16}"
    return start + ", ".join(f"{key}: {value}" for key, value in more.items()) + "}"


def centre(city: Row) -> Iterator[str]:
    """The root."""
    yield "  # The centre"
    yield node(city, "bk", "Trung tâm tỉnh Bắc Kạn", "10.0.0.0/24", template="centre")


def legacy(districts: list[Row], communes: list[Row]) -> Iterator[str]:
    """The districts, each with its communes, until the reform."""
    for district in districts:
        code = district["district_code"]
        name = district["name"].replace("Thành Phố", "Thành phố")
        inside = [row for row in communes if row["district_code"] == code]
        subnet = f"10.{int(code)}"
        more = {"template": "district", "parent": "bk", "code": f'"{code}"', "until": REFORM}
        if code == CITY:
            more["offices"] = "[\n      " + ",\n      ".join(CITY_OFFICES) + "]"
        yield ""
        yield f"  # {name}: {len(inside)} communes, until {REFORM}"
        yield node(district, f"d{code}", name, f"{subnet}.0.0/24", **more)
        for number, row in enumerate(inside, 1):
            code_5 = row["commune_code"]
            became = ", ".join(f"n{new}" for new in row["new_commune_codes"].split(";"))
            yield node(
                row,
                f"c{code_5}",
                row["commune"],
                f"{subnet}.{number}.0/24",
                template="commune",
                parent=f"d{code}",
                code=f'"{code_5}"',
                until=REFORM,
                became=f"[{became}]",
            )


def reformed(communes: list[Row]) -> Iterator[str]:
    """The communes since the reform, straight below the centre."""
    yield ""
    yield f"  # Since {REFORM}: {len(communes)} communes, of Thái Nguyên province now, and no districts"
    for number, row in enumerate(communes, 1):
        yield node(
            row,
            f"n{row['code']}",
            row["name"],
            f"10.200.{number}.0/24",
            template="commune",
            parent="bk",
            code=f'"{row["code"]}"',
            since=REFORM,
        )


def topology(data: Path) -> str:
    """The whole file's text."""
    districts = rows(data / "backan_legacy_districts.csv")
    communes = rows(data / "backan_legacy_108_with_new.csv")
    city = next(row for row in districts if row["district_code"] == CITY)
    lines = [
        *centre(city),
        *legacy(districts, communes),
        *reformed(rows(data / "thainguyen_new_from_backan.csv")),
    ]
    return HEAD.read_text(encoding="utf-8") + "\n".join(lines) + "\n"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the three tables")
    sys.stdout.write(topology(parser.parse_args().data))


if __name__ == "__main__":
    main()
