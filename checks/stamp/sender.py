"""A Session-Sender: a run of test packets from one socket, and what came back (RFC 8762, section 4.2)."""

from __future__ import annotations

import asyncio
import dataclasses
import secrets
import socket
from collections.abc import Callable

from checks.contract import Address
from checks.stamp.datagram import Datagram, SteadyClock, receive, udp_socket
from checks.stamp.packet import ForgedError, Reflected, Sent, TruncatedError, read_reflected, write_sent
from checks.stamp.session import Reply
from checks.stamp.timestamp import estimate_of, ntp, unix_of

_CLOCK_ERROR = estimate_of(1e-4).packed
"""As the reflector's."""

_AT_ONCE = 64


@dataclasses.dataclass(frozen=True)
class Sending:
    """``count`` packets, ``spacing`` s apart, and then ``wait`` s at most for those that are still under way. A ``key``
    makes them authenticated. ``source`` is the address to send from; None leaves it to the routes."""

    count: int
    spacing: float
    wait: float
    key: bytes = b""
    source: Address | None = None


@dataclasses.dataclass
class Run:
    """What came of a run: authentic ``replies`` in the order of arrival; how many packets were dropped because they
    were ``forged``, ``truncated`` or ``foreign`` (no answer to what we sent); the last ``refusal``, which came by ICMP
    or from the system."""

    sent: int = 0
    replies: list[Reply] = dataclasses.field(default_factory=list)
    forged: int = 0
    truncated: int = 0
    foreign: int = 0
    refusal: OSError | None = None


def random_ssid() -> int:
    """A Session Identifier: 1 to 65535 (RFC 8972, section 3)."""
    return secrets.randbelow(0xFFFF) + 1


async def send(
    address: Address,
    port: int,
    sending: Sending,
    *,
    ssid: Callable[[], int] = random_ssid,
    clock: Callable[[], SteadyClock] = SteadyClock,
) -> Run:
    """Sends a run to a reflector, from a port of its own. Ends as soon as every packet is answered. Raises OSError
    when the source cannot be bound or there is no route."""
    sock = udp_socket(socket.AF_INET6 if address.version == 6 else socket.AF_INET)
    with sock:
        if sending.source is not None:
            sock.bind((str(sending.source), 0))
        sock.connect((str(address), port))
        sender = _Sender(sock, sending.key, ssid(), clock())
        loop = asyncio.get_running_loop()
        loop.add_reader(sock, sender.readable)
        try:
            begin = loop.time()
            for number in range(sending.count):
                await asyncio.sleep(max(begin + number * sending.spacing - loop.time(), 0))
                sender.send()
            sender.finish()
            await asyncio.wait({sender.complete}, timeout=sending.wait)
        finally:
            loop.remove_reader(sock)
            sender.complete.cancel()
    return sender.run


class _Sender:
    """One session on a connected socket."""

    def __init__(self, sock: socket.socket, key: bytes, ssid: int, clock: SteadyClock) -> None:
        self.run = Run()
        self.complete: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sock = sock
        self._key = key
        self._ssid = ssid
        self._clock = clock
        self._sent: list[tuple[int, int]] = []
        """When each packet was sent: in Unix ns, and as its timestamp."""
        self._open: set[int] = set()
        self._finished = False

    def send(self) -> None:
        """The next packet. One that the system will not send is as lost as any other."""
        number = len(self._sent)
        now = self._clock.now()
        self._sent.append((now, ntp(now)))
        self._open.add(number)
        self.run.sent += 1
        packet = write_sent(Sent(number, ntp(now), _CLOCK_ERROR, self._ssid), self._key)
        for _ in range(2):
            try:
                self._sock.send(packet)
            except OSError as refusal:
                # Perhaps the ICMP error of an earlier packet, said instead of sending; having said so the kernel sends.
                self.run.refusal = refusal
            else:
                return

    def finish(self) -> None:
        """All is sent."""
        self._finished = True
        self._look()

    def readable(self) -> None:
        """Takes what has arrived."""
        for _ in range(_AT_ONCE):
            try:
                datagram = receive(self._sock)
            except BlockingIOError:
                return
            except OSError as refusal:
                self.run.refusal = refusal
                return
            self._take(datagram)

    def _take(self, datagram: Datagram) -> None:
        returned = self._clock.of(datagram.received)
        try:
            packet = read_reflected(datagram.data, self._key)
        except ForgedError:
            self.run.forged += 1
        except TruncatedError:
            self.run.truncated += 1
        else:
            if self._is_ours(packet):
                self._keep(packet, returned)
            else:
                self.run.foreign += 1

    def _is_ours(self, packet: Reflected) -> bool:
        """Whether it brings back what we sent; a reflector that knows no Session Identifier leaves 0 there."""
        return (
            packet.sender_sequence < len(self._sent)
            and packet.sender_timestamp == self._sent[packet.sender_sequence][1]
            and packet.ssid in (self._ssid, 0)
        )

    def _keep(self, packet: Reflected, returned: int) -> None:
        number = packet.sender_sequence
        self.run.replies.append(
            Reply(
                number,
                packet.sequence,
                self._sent[number][0],
                unix_of(packet.received, packet.error_estimate, returned),
                unix_of(packet.timestamp, packet.error_estimate, returned),
                returned,
                packet.sender_ttl,
            )
        )
        self._open.discard(number)
        self._look()

    def _look(self) -> None:
        if self._finished and not self._open and not self.complete.done():
            self.complete.set_result(None)
