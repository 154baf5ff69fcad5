"""A folder of wheels as it is carried to a host without Internet, made of this checkout and what is installed here."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

TOP = Path(__file__).parents[3]


def build(folder: Path, extra: str = "") -> None:
    """Fills the folder with the wheel of the project, and with those of all that it needs with the extra."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    own = ["wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(folder), str(TOP)]
    subprocess.run([*pip, *own], check=True)
    for distribution in _needed("thongsuot", extra):
        _pack(distribution, folder)


def _needed(name: str, extra: str) -> list[metadata.Distribution]:
    """What a distribution needs with an extra, and what that needs in turn; each once."""
    todo = [(name, ""), (name, extra)]
    seen = set(todo)
    while todo:
        one, its_extra = todo.pop()
        for line in metadata.requires(one) or ():
            wanted = Requirement(line)
            if wanted.marker is None or wanted.marker.evaluate({"extra": its_extra}):
                new = {(_normal(wanted.name), each) for each in ("", *wanted.extras)} - seen
                seen |= new
                todo += new
    return [metadata.distribution(one) for one in sorted({one for one, _ in seen} - {name})]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _pack(distribution: metadata.Distribution, folder: Path) -> None:
    """The wheel that was installed: its files, without the scripts and byte code that the installer made of them."""
    stem = f"{distribution.name.replace('-', '_')}-{distribution.version}"
    tags = re.findall(r"(?m)^Tag: (.+)-(.+)-(.+)$", distribution.read_text("WHEEL") or "")
    assert tags, f"{stem} was not installed from a wheel"
    tag = "-".join(".".join(dict.fromkeys(part)) for part in zip(*tags, strict=True))
    record: list[str] = []
    with zipfile.ZipFile(folder / f"{stem}-{tag}.whl", "w") as wheel:
        for file in distribution.files or ():
            made_here = ".." in file.parts or "__pycache__" in file.parts
            if made_here or file.name in ("INSTALLER", "RECORD", "REQUESTED", "direct_url.json"):
                continue
            data = Path(str(file.locate())).read_bytes()
            wheel.writestr(str(file), data)
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            record.append(f"{file},sha256={digest},{len(data)}\n")
            if file.name == "METADATA":
                info = file.parent
        wheel.writestr(f"{info}/RECORD", "".join((*record, f"{info}/RECORD,,\n")))
