"""The parameters of the check ``config``."""

from __future__ import annotations

import re
from typing import Final

from checks.config.platforms import PlatformName
from checks.contract import Params, Secret

_FINGERPRINT: Final = re.compile(r"(?:\S+ )?SHA256:[A-Za-z0-9+/]{43}")


class ConfigParams(Params, frozen=True):
    """Logs in as ``username`` with a ``password`` or with ``key``, a private key in PEM. ``secret`` is for ``enable``,
    where the platform has it. ``known_host`` are the fingerprints that the device's host key may have, as ssh-keygen -l
    prints them; with any other, no password is sent. Without them any key is taken, and told as a fact."""

    platform: PlatformName = "cisco_ios"
    username: str = ""
    password: Secret = ""
    key: Secret = ""
    secret: Secret = ""
    known_host: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for text in self.known_host:
            if not _FINGERPRINT.fullmatch(text):
                raise ValueError(f"known_host {text!r}: expected a fingerprint such as SHA256:… of 43 letters")

    @property
    def credentials(self) -> tuple[str, ...]:
        """What must be seen nowhere."""
        return (self.password, self.secret, self.key)
