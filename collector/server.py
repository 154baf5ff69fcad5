"""Runs the collector: opens its files, serves its addresses, and stops in order on a signal."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Mapping
from pathlib import Path

from alerts.notify import notifiers_of
from checks.contract import Clock, SystemClock
from checks.registry import CHECKS
from checks.topology import Topology, load
from collector.app import create_agents_app, create_app
from collector.centre import Centre, open_journal
from collector.journal import JournalError
from collector.listener import Listener
from collector.lock import lock
from collector.settings import Settings
from collector.state import StateError, StateFile
from collector.store.embedded import EmbeddedStore
from collector.store.influx import InfluxStore
from collector.store.model import Store, StoreError
from collector.web.demo import DemoControls
from service.sdnotify import Notifier as ServiceManager
from service.settings import SettingsError

log = logging.getLogger(__name__)


async def open_centre(
    settings: Settings,
    topology: Topology,
    clock: Clock,
    *,
    simulated: Mapping[str, str] | None = None,
) -> Centre:
    """Opens the files of a state directory. Raises SettingsError, or OSError naming the file."""
    try:
        notifiers = notifiers_of(settings.notify.urls, "notify.urls")
    except ValueError as error:
        raise SettingsError(str(error)) from error
    directory = settings.directory
    directory.mkdir(parents=True, exist_ok=True)
    held = lock(directory)
    try:
        store = await _open_store(settings, directory)
        state = StateFile(directory / "state.db")
        return Centre(
            settings,
            topology,
            state=state,
            journal=open_journal(directory, store, state),
            store=store,
            notifiers=notifiers,
            clock=clock,
            simulated=simulated,
            held=held,
        )
    except (StateError, JournalError, StoreError) as error:
        held.close()
        raise OSError(str(error)) from error


async def _open_store(settings: Settings, directory: Path) -> Store:
    if settings.store.kind == "influx":
        return await InfluxStore.open(settings.store.influx, directory / "series.db")
    return await EmbeddedStore.open(directory / "store.db")


class Server:
    """A collector with its listeners, within one event loop."""

    def __init__(self, centre: Centre, clock: Clock, *, demo: DemoControls | None = None) -> None:
        self.centre = centre
        self._manager = ServiceManager(os.environ, os.getpid())
        listen = centre.settings.listen
        apart = bool(listen.agents)
        app = create_app(centre, clock, agents_too=not apart, demo=demo)
        self._servers = [Listener(app, "listen.page", listen.page)]
        if apart:
            agents = create_agents_app(centre, clock)
            self._servers.append(Listener(agents, "listen.agents", listen.agents, listen.certificate, listen.key))

    async def run(self, ready: asyncio.Event | None = None) -> None:
        """Serves until :meth:`stop`. Sets ``ready`` when every address is open and the journal is replayed."""
        running = asyncio.create_task(self.centre.run(), name="centre")
        serving = [asyncio.create_task(server.serve(), name="serve") for server in self._servers]
        watching = asyncio.create_task(self._tell_ready(ready), name="ready")
        try:
            with self.centre.beats.reflecting(self.centre.settings.listen.reflector):
                await asyncio.wait((running, *serving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.stop()
            watching.cancel()
            await asyncio.gather(*serving, return_exceptions=True)
            running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        for task in serving:
            if (error := task.exception()) is not None:
                raise error

    def stop(self) -> None:
        """Begins to stop. Open streams of events end first: they would hold the listeners up."""
        self._manager.stopping()
        self.centre.stream.close()
        for server in self._servers:
            server.should_exit = True

    async def _tell_ready(self, ready: asyncio.Event | None) -> None:
        await self.centre.ready.wait()
        while not all(server.started for server in self._servers):  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.02)
        self._manager.ready()
        if ready is not None:
            ready.set()
        while self._manager.watchdog is not None:
            if self.centre.ticking:
                self._manager.alive()
            await asyncio.sleep(self._manager.watchdog / 2)


def serve(settings: Settings, topology_file: Path) -> None:
    """``thongsuot-collector run``: until SIGTERM or Ctrl-C. SIGHUP reads the topology again; a bad one changes
    nothing."""
    clock = SystemClock()
    topology = load(topology_file, CHECKS)

    async def run() -> None:
        server = Server(await open_centre(settings, topology, clock), clock)
        loop = asyncio.get_running_loop()
        for stop in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(stop, server.stop)
        asked = asyncio.Event()
        loop.add_signal_handler(signal.SIGHUP, asked.set)
        reloading = asyncio.create_task(_reload(asked, server.centre, topology_file), name="reload")
        log.info("the page is at http://%s/", settings.listen.page)
        try:
            await server.run()
        finally:
            reloading.cancel()

    asyncio.run(run())


async def _reload(asked: asyncio.Event, centre: Centre, topology_file: Path) -> None:
    """Reads the topology again whenever that is asked for; in a thread, for a large one takes its time."""
    while True:
        await asked.wait()
        asked.clear()
        try:
            centre.replace_topology(await asyncio.to_thread(load, topology_file, CHECKS))
        except ValueError as error:
            log.error("the topology was not reloaded; the one before stays in force:\n%s", error)
        else:
            log.info("%s is in force", topology_file)
