"""The STAMP sessions that the plan names, each kept up for as long as it does (RFC 8762).

Every interval of its job a session makes a measurement of what it sent, with the arithmetic and the judge of the check
``stamp``; when its line dies or lives again, at once. A measurement's time is here that of its end, and its duration
what it covers: so one that is made at once is newer than those before.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import socket
from collections.abc import Callable, Iterable
from typing import Final

from agent.pulse import Pulse
from agent.schedule import FIRST_RUNS_WITHIN, phase
from checks.contract import Clock, Context, Network, params_of
from checks.errors import CheckError, from_os_error
from checks.model import Beat, Job, Measurement, Outcome, State
from checks.net import local
from checks.stamp.check import CHECK, StampParams, judge, open_socket, place_of
from checks.stamp.datagram import SteadyClock
from checks.stamp.sender import Run, Sender
from checks.stamp.session import Mark, Reply

FRESH_SOCKET_EVERY: Final = 10.0
"""Seconds of a dead line after which the socket is made anew: our address or the route may be another now."""

AGAIN_AFTER: Final = 1.0
"""Seconds until another attempt when no packet can be sent."""

CLOCK_STEP: Final = 1_000_000_000
"""ns by which the wall clock may leave a session's before that begins anew with the right time."""

Report = Callable[[Measurement, bool], None]
"""Takes a measurement, and whether its state differs from the one before."""

log = logging.getLogger("agent.beats")


class Beats:
    """Keeps up the sessions of an ``agent``, within the running event loop. ``allowed`` are the prefixes that it may
    talk to."""

    def __init__(self, agent: str, clock: Clock, report: Report, *, allowed: tuple[Network, ...] = ()) -> None:
        self._agent, self._clock, self._report, self._allowed = agent, clock, report, allowed
        self._kept: dict[str, tuple[Beat, asyncio.Task[None]]] = {}

    @property
    def jobs(self) -> list[str]:
        """The ids of the jobs that are reported under."""
        return list(self._kept)

    def adopt(self, beats: Iterable[Beat]) -> None:
        """Takes a new plan. A session that has not changed goes on undisturbed."""
        wanted = {beat.job.id: beat for beat in beats}
        for key, (beat, task) in list(self._kept.items()):
            if wanted.get(key) != beat:
                task.cancel()
                del self._kept[key]
        for key, beat in wanted.items():
            if key not in self._kept:
                self._kept[key] = (beat, asyncio.create_task(self._keep_up(beat), name=key))

    async def close(self) -> None:
        """Ends all sessions."""
        tasks = [task for _, task in self._kept.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep_up(self, beat: Beat) -> None:
        """One session, over as many sockets as it takes; until cancelled."""
        job = beat.job
        begin = phase(self._agent, job.id)
        voice = _Voice(job, begin, self._clock, self._report)
        context = Context(self._clock, job.deadline, {}, self._allowed)
        pulse: Pulse | None = None
        while True:
            try:
                params: StampParams = params_of(CHECK, job.params)
                pulse = pulse or Pulse(params.spacing, begin, self._clock.monotonic())
                place = await place_of(job.target, params, context)
                with open_socket(place, params) as sock:
                    await _Line(sock, beat.ssid, str(place), params, context, pulse, voice).run()
                continue
            except CheckError as error:
                voice.trouble(error.outcome())
            except OSError as error:
                voice.trouble(from_os_error(error, job.target).outcome())
            except Exception as error:
                log.exception("%s: a bug", job.id, extra={"fields": {"job": job.id}})
                voice.trouble(Outcome(State.UNKNOWN, f"bug in a session: {type(error).__name__}: {error}", "bug"))
            await asyncio.sleep(AGAIN_AFTER)


class _Voice:
    """What is said of a session, and when: every interval; a retry interval after its state has changed."""

    def __init__(self, job: Job, begin: float, clock: Clock, report: Report) -> None:
        self._job, self._clock, self._report = job, clock, report
        self._state = State.OK
        self._said_at = clock.monotonic()
        self.due_at = self._said_at + min(job.interval, FIRST_RUNS_WITHIN) * max(begin, 0.3)
        self.lost = False
        """Whether the last that was said is that nothing comes back."""

    def say(self, outcome: Outcome) -> None:
        now = self._clock.monotonic()
        changed = outcome.state is not self._state
        measurement = Measurement(self._job.id, self._clock.now(), now - self._said_at, outcome)
        self._state, self._said_at, self.lost = outcome.state, now, not outcome.answered
        self.due_at = now + (self._job.retry if changed else self._job.interval)
        self._report(measurement, changed)

    def trouble(self, outcome: Outcome) -> None:
        """Says at once that no packet can be sent, and why; once each interval."""
        if outcome.state is not self._state or self._clock.monotonic() >= self.due_at:
            self.say(outcome)


@dataclasses.dataclass
class _Line:
    """A session over one socket."""

    sock: socket.socket
    ssid: int
    place: str
    params: StampParams
    context: Context
    pulse: Pulse
    voice: _Voice

    def __post_init__(self) -> None:
        self._clock = SteadyClock()
        self._sender = Sender(self.sock, self.params.key.encode(), self.ssid, self._clock, self._answered)

    async def run(self) -> None:
        """Until a fresh socket is needed. Raises OSError when that is for a fault of our own."""
        loop = asyncio.get_running_loop()
        monotonic = self.context.clock.monotonic
        fresh_at = monotonic() + FRESH_SOCKET_EVERY
        loop.add_reader(self.sock, self._sender.readable)
        try:
            while True:
                await asyncio.sleep(max(min(self.pulse.wake_at(), self.voice.due_at) - monotonic(), 0))
                self._step(monotonic())
                if (self.pulse.dead and monotonic() >= fresh_at) or abs(self._clock.apart) > CLOCK_STEP:
                    return
        finally:
            loop.remove_reader(self.sock)

    def _step(self, now: float) -> None:
        lived = not self.pulse.dead
        if self.pulse.due(now):
            self._sender.send()
            refused = self._sender.refused
            if refused is not None and from_os_error(refused, "").state is State.UNKNOWN:
                raise refused
        if lived and self.pulse.dead:
            ended = self._sender.next_run(0.0)
            self._judge(dataclasses.replace(ended, sent=self.pulse.unanswered, replies=[]))
        elif now >= self.voice.due_at:
            self._end_run()

    def _end_run(self) -> None:
        ended = self._sender.next_run(self.params.wait)
        if ended.sent:
            self._judge(ended)
        else:  # the socket is fresh
            self.voice.due_at += self.params.wait

    def _answered(self, reply: Reply) -> None:
        self.pulse.heard(self.context.clock.monotonic())
        if self.voice.lost:
            self._sender.next_run(0.0)  # what was lost has been told of
            before = Mark(reply.sequence - 1, reply.reflector_sequence - 1)
            self._judge(Run(1, [reply], first=reply.sequence, since=before))

    def _judge(self, run: Run) -> None:
        outcome = judge(self.place, run, self.params, self.context)
        ours = None if outcome.answered else local.fault(str(self.sock.getsockname()[0]))
        self.voice.say(ours.outcome() if ours else outcome)
