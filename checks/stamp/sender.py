"""A Session-Sender: test packets from one socket, run by run, and what came back (RFC 8762, section 4.2)."""

from __future__ import annotations

import asyncio
import dataclasses
import secrets
import socket
from collections.abc import Callable

from checks.contract import Address
from checks.stamp.datagram import Datagram, SteadyClock, receive, udp_socket
from checks.stamp.keys import LAST_GIVEN
from checks.stamp.packet import ForgedError, Reflected, Sent, TruncatedError, read_reflected, write_sent
from checks.stamp.session import BEGIN, Mark, Reply
from checks.stamp.timestamp import estimate_of, ntp, unix_of

_CLOCK_ERROR = estimate_of(1e-4).packed
"""As the reflector's."""

_AT_ONCE = 64


@dataclasses.dataclass(frozen=True)
class Sending:
    """``count`` packets, ``spacing`` s apart, and then ``wait`` s at most for those that are still under way. A ``key``
    makes them authenticated."""

    count: int
    spacing: float
    wait: float
    key: bytes = b""


@dataclasses.dataclass
class Run:
    """``sent`` packets in a row, from number ``first`` on, and what came of them: authentic ``replies`` in the order of
    arrival; how many packets were dropped meanwhile because they were ``forged``, ``truncated`` or ``foreign`` (no
    answer to what we sent); the last ``refusal``, which came by ICMP or from the system. ``since`` is the last packet
    before them that came back."""

    sent: int = 0
    replies: list[Reply] = dataclasses.field(default_factory=list)
    forged: int = 0
    truncated: int = 0
    foreign: int = 0
    refusal: OSError | None = None
    first: int = 0
    since: Mark = BEGIN


def random_ssid() -> int:
    """A Session Identifier that was given to nobody (RFC 8972, section 3)."""
    return LAST_GIVEN + 1 + secrets.randbelow(0xFFFF - LAST_GIVEN)


async def send(
    sock: socket.socket,
    sending: Sending,
    *,
    ssid: Callable[[], int] = random_ssid,
    clock: Callable[[], SteadyClock] = SteadyClock,
) -> Run:
    """Sends a run from a connected socket. Ends as soon as every packet is answered."""
    loop = asyncio.get_running_loop()
    complete: asyncio.Future[None] = loop.create_future()
    unanswered = set(range(sending.count))

    def answered(reply: Reply) -> None:
        unanswered.discard(reply.sequence)
        if not unanswered and not complete.done():
            complete.set_result(None)

    sender = Sender(sock, sending.key, ssid(), clock(), answered)
    loop.add_reader(sock, sender.readable)
    try:
        begin = loop.time()
        for number in range(sending.count):
            await asyncio.sleep(max(begin + number * sending.spacing - loop.time(), 0))
            sender.send()
        await asyncio.wait({complete}, timeout=sending.wait)
    finally:
        loop.remove_reader(sock)
        complete.cancel()
    return sender.run


def connected(address: Address, port: int, source: Address | None) -> socket.socket:
    """A socket for a session, from a port of its own and, if it is given, from the ``source`` address. Raises OSError
    when that cannot be bound or there is no route."""
    sock = udp_socket(socket.AF_INET6 if address.version == 6 else socket.AF_INET)
    try:
        if source is not None:
            sock.bind((str(source), 0))
        sock.connect((str(address), port))
    except OSError:
        sock.close()
        raise
    return sock


class Sender:
    """A session on a connected socket, which stays the caller's. ``on_reply`` is told of the first authentic answer to
    each packet, late ones too. ``run`` is the present run."""

    def __init__(
        self, sock: socket.socket, key: bytes, ssid: int, clock: SteadyClock, on_reply: Callable[[Reply], None]
    ) -> None:
        self.run = Run()
        self.refused: OSError | None = None
        """Why the system did not send the last packet; None when it did."""
        self._sock = sock
        self._key = key
        self._ssid = ssid
        self._clock = clock
        self._on_reply = on_reply
        self._next = 0
        self._sent: dict[int, tuple[int, int]] = {}
        """When each packet was sent: in Unix ns, and as its timestamp. Of this run and the one before."""
        self._answered: set[int] = set()

    def send(self) -> None:
        """The next packet. One that the system will not send is as lost as any other."""
        number = self._next
        self._next += 1
        now = self._clock.now()
        self._sent[number] = (now, ntp(now))
        self.run.sent += 1
        packet = write_sent(Sent(number, ntp(now), _CLOCK_ERROR, self._ssid), self._key)
        for _ in range(2):
            try:
                self._sock.send(packet)
            except OSError as refusal:
                # Perhaps the ICMP error of an earlier packet, said instead of sending; having said so the kernel sends.
                self.refused = self.run.refusal = refusal
            else:
                self.refused = None
                return

    def next_run(self, patience: float) -> Run:
        """Ends the run, and begins another with those packets that were sent less than ``patience`` s ago: they may
        still be answered. Returns the one that has ended."""
        ended = self.run
        until = self._clock.now() - round(patience * 1e9)
        begin = next((n for n in range(ended.first, self._next) if self._sent[n][0] > until), self._next)
        later = [reply for reply in ended.replies if reply.sequence >= begin]
        ended.replies = [reply for reply in ended.replies if reply.sequence < begin]
        ended.sent = begin - ended.first
        last = max(ended.replies, key=lambda reply: reply.sequence, default=None)
        since = ended.since if last is None else Mark(last.sequence, last.reflector_sequence)
        self.run = Run(self._next - begin, later, first=begin, since=since)
        self._sent = {number: sent for number, sent in self._sent.items() if number >= ended.first}
        self._answered &= self._sent.keys()
        return ended

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
        sent = self._sent.get(packet.sender_sequence)
        return sent is not None and packet.sender_timestamp == sent[1] and packet.ssid in (self._ssid, 0)

    def _keep(self, packet: Reflected, returned: int) -> None:
        number = packet.sender_sequence
        reply = Reply(
            number,
            packet.sequence,
            self._sent[number][0],
            unix_of(packet.received, packet.error_estimate, returned),
            unix_of(packet.timestamp, packet.error_estimate, returned),
            returned,
            packet.sender_ttl,
        )
        if number >= self.run.first:
            self.run.replies.append(reply)
        if number not in self._answered:
            self._answered.add(number)
            self._on_reply(reply)
