"""Server-sent events: one publisher, many readers, none of whom can hold up another."""

from __future__ import annotations

import asyncio

import msgspec

KEPT = 64
"""Events that a slow reader may be behind before it loses the oldest."""


class Stream:
    """Publishes events to whoever subscribed."""

    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[bytes]] = set()
        self._closed = False

    def __len__(self) -> int:
        return len(self._queues)

    def subscribe(self) -> asyncio.Queue[bytes]:
        """A queue of events as they go over the wire."""
        queue: asyncio.Queue[bytes] = asyncio.Queue(KEPT)
        self._queues.add(queue)
        if self._closed:
            queue.put_nowait(b"")
        return queue

    def unsubscribe(self, queue: asyncio.Queue[bytes]) -> None:
        """Ends a subscription."""
        self._queues.discard(queue)

    def close(self) -> None:
        """Tells every reader, also one yet to come, that nothing more will follow, by an empty event."""
        self._closed = True
        for queue in self._queues:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(b"")

    def publish(self, event: str, data: object) -> None:
        """Sends an event with JSON data to every reader."""
        if not self._queues:
            return
        message = b"event: " + event.encode() + b"\ndata: " + msgspec.json.encode(data) + b"\n\n"
        for queue in self._queues:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(message)
