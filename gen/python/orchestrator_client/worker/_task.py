"""A task that the worker holds, as its handler and the worker see it.

    received → acknowledged → handler ended → reported → answered: no longer held

Of what there is to say about a task, only the last word waits to be sent: a result replaces the acknowledgement before it, and
nothing replaces a result.
"""

from __future__ import annotations

import asyncio
import datetime
import threading
from typing import Callable, Optional

from ..v1 import worker_pb2
from ._errors import TaskCanceled

CANCELED, OUTDATED, TIMEOUT, STOPPING = "CANCELED", "OUTDATED", "TIMEOUT", "STOPPING"


class Task:
    """What a handler knows of its task. Its methods may be called from any thread."""

    def __init__(self, message: worker_pb2.WorkerTask, loop: asyncio.AbstractEventLoop) -> None:
        self.run_id: str = message.run_id
        self.id: str = message.task_id
        """Path of the task in its run."""
        self.flow_id: str = message.flow_id
        self.queue: str = message.queue
        self.handler: str = message.handler
        self.attempt: int = message.attempt
        """Attempt, from 1."""
        self.idempotency_key: str = message.idempotency_key
        """The same for all attempts of the task: pass it on, so that the effect happens once."""
        self.fencing_token: int = message.fencing_token
        """Rises with every hand-over: a system that keeps the highest one it has seen can refuse a late attempt."""
        self.correlation_id: str = message.correlation_id
        self.deadline: Optional[datetime.datetime] = None
        """When the attempt runs out of time; None: never."""
        self._cause: Optional[str] = None
        self._canceled = threading.Event()
        self._loop = loop
        self._beat: Callable[[], None] = lambda: None
        if message.HasField("timeout"):
            self.deadline = datetime.datetime.now(datetime.timezone.utc) + message.timeout.ToTimedelta()

    @property
    def canceled(self) -> bool:
        """Whether the result is no longer wanted: the task was canceled or timed out, or the worker stops."""
        return self._canceled.is_set()

    def raise_if_canceled(self) -> None:
        """Raises TaskCanceled when the result is no longer wanted."""
        if self.canceled:
            raise TaskCanceled(self._cause)

    def sleep(self, seconds: float) -> None:
        """Waits in a handler that is not async; raises TaskCanceled as soon as the result is no longer wanted."""
        if self._canceled.wait(seconds):
            raise TaskCanceled(self._cause)

    def heartbeat(self) -> None:
        """Tells the service that the task is alive. The worker does so on its own while the handler runs."""
        self._loop.call_soon_threadsafe(self._beat)


class HeldTask:
    """The worker's side of a task. Belongs to the event loop."""

    def __init__(
        self, message: worker_pb2.WorkerTask, loop: asyncio.AbstractEventLoop, say: Callable[["HeldTask"], None]
    ) -> None:
        self.message = message
        self.task = Task(message, loop)
        self.task._beat = self.beat
        self.next: Optional[worker_pb2.TaskReport] = None
        """What waits to be sent."""
        self.ended = False
        self.running: Optional[asyncio.Future] = None
        """An async handler."""
        self.call: Optional[asyncio.Future] = None
        self._say = say
        self._loop = loop
        self._timers: dict[str, asyncio.TimerHandle] = {}
        if message.HasField("timeout"):
            self._timers["alarm"] = loop.call_later(message.timeout.ToNanoseconds() / 1e9, self.abort, TIMEOUT)
        if message.HasField("heartbeat_timeout"):
            self._pulse_every(max(0.01, message.heartbeat_timeout.ToNanoseconds() / 3e9))

    def say(self, **event: object) -> None:
        """Says something about the task, unless its end has been said."""
        if self.ended:
            return
        self.next = worker_pb2.TaskReport(task_token=self.message.task_token, **event)
        self._say(self)

    def beat(self) -> None:
        """Says that the task is alive. An acknowledgement is a sign of life too."""
        if self.next is None:
            self.say(alive=worker_pb2.TaskAlive())

    def end(self, **event: object) -> None:
        """Says the last word."""
        self.say(**event)
        self.drop()

    def drop(self) -> None:
        """Nothing more is said."""
        self.ended = True
        for timer in self._timers.values():
            timer.cancel()

    def abort(self, cause: str) -> None:
        """Tells the handler that its result is no longer wanted. The first cause stands."""
        if self.task._cause is not None:
            return
        self.task._cause = cause
        self.task._canceled.set()
        if self.running is not None:
            self.running.cancel()

    def _pulse_every(self, seconds: float) -> None:
        def pulse() -> None:
            self.beat()
            self._timers["pulse"] = self._loop.call_later(seconds, pulse)

        self._timers["pulse"] = self._loop.call_later(seconds, pulse)
