"""How Debian's Chromium is started for tests: headless, as root, and asking nobody outside for anything."""

from __future__ import annotations

CHROMIUM = "chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
