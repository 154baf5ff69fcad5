"""SNMPv3's User-based Security Model (RFC 3414, 7860, 3826): names of algorithms, keys, and what a report means."""

from __future__ import annotations

import functools
from typing import Final, Literal

from gufo.snmp import (
    Aes128Key,
    Aes192Key,
    Aes256Key,
    BaseAuthKey,
    BasePrivKey,
    DesKey,
    KeyExpansion,
    Md5Key,
    Sha1Key,
    Sha224Key,
    Sha256Key,
    Sha384Key,
    Sha512Key,
    User,
)
from gufo.snmp.user import KeyType

from checks.errors import ObserverError
from checks.snmp.reader import Access

Auth = Literal["", "md5", "sha1", "sha224", "sha256", "sha384", "sha512"]
Priv = Literal["", "des", "aes128", "aes192", "aes256", "aes192c", "aes256c"]
"""aes192 and aes256 extend the key as draft-blumenthal-aes-usm-04 does; with a c, as Cisco does."""

_AUTH: Final[dict[str, type[BaseAuthKey]]] = {
    "md5": Md5Key,
    "sha1": Sha1Key,
    "sha224": Sha224Key,
    "sha256": Sha256Key,
    "sha384": Sha384Key,
    "sha512": Sha512Key,
}
_PRIV: Final[dict[str, type[BasePrivKey]]] = {
    "des": DesKey,
    "aes128": Aes128Key,
    "aes192": Aes192Key,
    "aes256": Aes256Key,
    "aes192c": Aes192Key,
    "aes256c": Aes256Key,
}


PYSNMP_AUTH: Final = {
    "md5": "USM_AUTH_HMAC96_MD5",
    "sha1": "USM_AUTH_HMAC96_SHA",
    "sha224": "USM_AUTH_HMAC128_SHA224",
    "sha256": "USM_AUTH_HMAC192_SHA256",
    "sha384": "USM_AUTH_HMAC256_SHA384",
    "sha512": "USM_AUTH_HMAC384_SHA512",
}
PYSNMP_PRIV: Final = {
    "des": "USM_PRIV_CBC56_DES",
    "aes128": "USM_PRIV_CFB128_AES",
    "aes192": "USM_PRIV_CFB192_AES_BLUMENTHAL",
    "aes256": "USM_PRIV_CFB256_AES_BLUMENTHAL",
    "aes192c": "USM_PRIV_CFB192_AES",
    "aes256c": "USM_PRIV_CFB256_AES",
}
"""What pysnmp calls them."""


@functools.lru_cache(maxsize=1024)
def master_key(auth: str, password: str) -> bytes:
    """The key of a password before it is localized (RFC 3414, A.2): a hash over 1 MiB, 2 ms of CPU, hence kept."""
    return _AUTH[auth].get_master_key(password.encode())


def user_of(access: Access) -> User:
    """The user with master keys."""
    if not access.auth:
        return User(access.user)
    auth_key = _AUTH[access.auth](master_key(access.auth, access.auth_key), KeyType.Master)
    if not access.priv:
        return User(access.user, auth_key=auth_key)
    # The privacy key is made with the *authentication* protocol's hash (RFC 3414, 8.2.1).
    priv_key = _PRIV[access.priv](master_key(access.auth, access.priv_key), KeyType.Master)
    expansion = KeyExpansion.Cisco if access.priv.endswith("c") else KeyExpansion.Blumenthal
    return User(access.user, auth_key=auth_key, priv_key=priv_key, key_expansion=expansion)


def refusal(access: Access, report: int) -> ObserverError:
    """Why the device refused our credentials, and what to do. ``report`` is the usmStats counter that it reported
    (RFC 3414, 5: 1 to 6); 0 is an authorizationError without a report."""
    where, user, level = access.where, repr(access.user), access.level
    reasons = {
        1: (
            "unsupported-level",
            (
                f"{where}: the device has user {user}, but not with {level} (usmStatsUnsupportedSecLevels): "
                "set auth and priv as the device has them"
            ),
        ),
        2: (
            "time-window",
            (
                f"{where}: the device refuses our time (usmStatsNotInTimeWindows): its snmpEngineBoots is stuck, "
                "or two devices share one engine id"
            ),
        ),
        3: (
            "unknown-user",
            f"{where}: unknown user name {user} (usmStatsUnknownUserNames): create it on the device, or correct user",
        ),
        4: (
            "unknown-engine",
            (
                f"{where}: the device denies its own engine id (usmStatsUnknownEngineIDs): "
                "a proxy or a cluster stands in between"
            ),
        ),
        5: (
            "wrong-auth-key",
            (
                f"{where}: authentication failure, wrong digest (usmStatsWrongDigests): "
                f"auth or auth_key is not what the device has for user {user}"
            ),
        ),
        6: wrong_privacy_key(access),
    }
    denied = (
        "access-denied",
        (
            f"{where}: user {user} may not read this with {level} (authorizationError): "
            "correct the user's view on the device, or set auth and priv as it demands"
        ),
    )
    reason, summary = reasons.get(report, denied)
    return ObserverError(reason, summary, answered=True)


def wrong_privacy_key(access: Access) -> tuple[str, str]:
    """Reason and summary of a request that the device could not decrypt."""
    return (
        "wrong-priv-key",
        (
            f"{access.where}: the device accepts user {access.user!r} but cannot decrypt: "
            "priv or priv_key is not what the device has"
        ),
    )
