"""TLS client contexts: whom we trust. Making one reads every authority of the host (10 ms of CPU), so they are kept."""

from __future__ import annotations

import functools
import ssl
import warnings
from pathlib import Path

from checks.errors import ObserverError


def verifying(ca_file: str = "", *, check_hostname: bool = True) -> ssl.SSLContext:
    """A context that accepts what chains to an authority of ``ca_file`` (PEM), by default to one of the host's.
    A changed ``ca_file`` is read again. Raises ObserverError when it cannot be read or holds no certificate."""
    if not ca_file:
        return _context("", 0, check_hostname)
    try:
        return _context(ca_file, Path(ca_file).stat().st_mtime_ns, check_hostname)
    except ssl.SSLError as error:
        raise ObserverError("ca-file", f"ca_file {ca_file}: expected certificates in PEM: {error.reason}") from error
    except OSError as error:
        raise ObserverError("ca-file", f"ca_file {ca_file}: {error.strerror}: correct the path") from error


@functools.lru_cache(maxsize=64)
def _context(ca_file: str, _stamp: int, check_hostname: bool) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca_file or None)
    context.check_hostname = check_hostname
    return context


@functools.lru_cache(maxsize=1)
def accepting() -> ssl.SSLContext:
    """A context that accepts whatever the server shows, old protocols too: to look at it, never to trust it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    return context


_VERSIONS = {
    "TLSv1": ssl.TLSVersion.TLSv1,
    "TLSv1.1": ssl.TLSVersion.TLSv1_1,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}


@functools.lru_cache(maxsize=len(_VERSIONS))
def accepting_below(version: str) -> ssl.SSLContext | None:
    """A context that accepts whatever the server shows, but only versions older than this one ("TLSv1.2"); None when
    there is none."""
    older = [known for known in _VERSIONS.values() if known < _VERSIONS[version]]
    if not older:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that they are old is what is asked
        context.minimum_version, context.maximum_version = older[0], older[-1]
    return context
