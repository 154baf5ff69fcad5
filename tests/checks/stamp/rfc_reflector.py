"""A Session-Reflector written from the figures of RFC 8762 alone, to be somebody else's: it shares no code with ours.

As a router's may be: it knows no Session Identifier, its clock is the clock of this host, and it says so in PTP's form
when asked to.
"""

from __future__ import annotations

import contextlib
import hashlib
import socket
import threading
import time
from collections.abc import Iterator


def put(packet: bytearray, octet: int, size: int, value: int) -> None:
    packet[octet : octet + size] = value.to_bytes(size, "big")


def timestamp(ptp: bool) -> int:
    now = time.time_ns()
    if ptp:
        return (now // 10**9 + 37) * 2**32 + now % 10**9
    return (now // 10**9 + 2_208_988_800) * 2**32 + now % 10**9 * 2**32 // 10**9


def hmac_sha_256(key: bytes, text: bytes) -> bytes:
    """RFC 2104, section 2."""
    block = key.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(b ^ 0x36 for b in block) + text).digest()
    return hashlib.sha256(bytes(b ^ 0x5C for b in block) + inner).digest()


def reflected(packet: bytes, number: int | None, key: bytes, ttl: int, ptp: bool) -> bytes | None:
    """Sections 4.3.1 and 4.3.2. Without a number of its own it is stateless."""
    received = timestamp(ptp)
    answer = bytearray(112 if key else 44)
    if len(packet) < len(answer) or (key and packet[96:112] != hmac_sha_256(key, packet[:96])[:16]):
        return None
    sequence = int.from_bytes(packet[0:4], "big")
    if key:
        put(answer, 32, 8, received)
        put(answer, 48, 4, sequence)
        answer[64:74] = packet[16:26]
        put(answer, 80, 1, ttl)
        put(answer, 16, 8, timestamp(ptp))
        put(answer, 24, 2, 0x4001 if ptp else 0x0001)
    else:
        put(answer, 16, 8, received)
        put(answer, 24, 4, sequence)
        answer[28:38] = packet[4:14]
        put(answer, 40, 1, ttl)
        put(answer, 4, 8, timestamp(ptp))
        put(answer, 12, 2, 0x4001 if ptp else 0x0001)
    put(answer, 0, 4, sequence if number is None else number)
    if key:
        answer[96:112] = hmac_sha_256(key, bytes(answer[:96]))[:16]
    return bytes(answer)


@contextlib.contextmanager
def rfc_reflector(
    key: bytes = b"", *, stateful: bool = True, ptp: bool = False, lose: frozenset[int] = frozenset()
) -> Iterator[int]:
    """One that runs for the length of a ``with``: its port. What it would send as ``lose`` th packet it does not."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        over = threading.Event()
        port: int = sock.getsockname()[1]

        def serve() -> None:
            count = 0
            while True:
                packet, source = sock.recvfrom(2048)
                if over.is_set():
                    return
                answer = reflected(packet, count if stateful else None, key, 64, ptp)
                if answer is not None:
                    if count not in lose:
                        sock.sendto(answer, source)
                    count += 1

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield port
        finally:
            over.set()
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
                waker.sendto(b"", ("127.0.0.1", port))
            thread.join()
