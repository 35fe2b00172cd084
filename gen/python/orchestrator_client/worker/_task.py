"""A task that the worker holds, as its handler and the worker see it.

    received → acknowledged → handler ended → reported → answered: no longer held

What is said about a task waits to be sent together. A new word replaces the one before it of the same kind, and any word is a sign
of life: a handler that ends at once is one report. Nothing is said after the end.
"""

from __future__ import annotations

import asyncio
import datetime
import json
import threading
from typing import Any, Callable, Optional

from ..v1 import run_event_pb2, worker_pb2
from ._errors import TaskCanceled, cut

CANCELED, OUTDATED, TIMEOUT, STOPPING = "CANCELED", "OUTDATED", "TIMEOUT", "STOPPING"

_MAX_CHECKPOINT = 65_536
_MAX_MESSAGE = 1_024
_MAX_LINE = 4_096
_MAX_LINES = 50
"""How many lines the service takes at once."""
_SIGNS = ("acknowledged", "alive")
"""Words that only say that the task is alive, as any other does."""
_EPHEMERAL = ("progress", "log")
"""Words for those who watch: they are not sent again."""
_ENDS = ("succeeded", "failed", "stopped", "handed_back", "detached")


def is_end(report: worker_pb2.TaskReport) -> bool:
    """Whether nothing can be said about a task after the report."""
    return report.WhichOneof("event") in _ENDS


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
        self.traceparent: str = message.traceparent
        """Position of the attempt in the trace of its run, by W3C Trace Context; empty when there is none."""
        self.tracestate: str = message.tracestate
        self.token: str = message.task_token
        """Names the hand-over in reports: for the process that ends a detached task."""
        self.last_checkpoint: Any = json.loads(message.checkpoint_json) if message.checkpoint_json else None
        """What `checkpoint` saved last, in this attempt or before it; None when nothing was."""
        self.deadline: Optional[datetime.datetime] = None
        """When the attempt runs out of time; None: never."""
        self._cause: Optional[str] = None
        self._canceled = threading.Event()
        self._loop = loop
        self._say: Callable[..., None] = lambda **event: None
        if message.HasField("timeout"):
            self.deadline = datetime.datetime.now(datetime.timezone.utc) + message.timeout.ToTimedelta()

    @property
    def trace_context(self) -> dict[str, str]:
        """`traceparent` and `tracestate` as headers for calls that the handler makes; empty without a trace."""
        fields = {"traceparent": self.traceparent, "tracestate": self.tracestate}
        return {name: value for name, value in fields.items() if value}

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
        self._tell(alive=worker_pb2.TaskAlive())

    def progress(
        self,
        fraction: Optional[float] = None,
        *,
        current: Optional[int] = None,
        total: Optional[int] = None,
        message: str = "",
    ) -> None:
        """Shows those who watch the run how far the task is: a fraction from 0 to 1, or steps. Too much of it is dropped."""
        bounded = None if fraction is None else min(max(0.0, fraction), 1.0)
        text = cut(message, _MAX_MESSAGE)
        self._tell(progress=worker_pb2.TaskProgressed(fraction=bounded, current=current, total=total, message=text))

    def log(self, text: str, level: str = "info") -> None:
        """Shows those who watch the run a line; levels are debug, info, warn, and error. Too many lines are dropped."""
        value = run_event_pb2.LogLevel.Value(f"LOG_LEVEL_{level.upper()}")
        self._tell(log=worker_pb2.TaskLogged(text=cut(text, _MAX_LINE), level=value))

    def checkpoint(self, value: Any) -> None:
        """Saves what the next attempt needs to go on from here: JSON of at most 64 KB. The last one counts. Raises ValueError."""
        data = json.dumps(value, allow_nan=False, separators=(",", ":")).encode()
        if len(data) > _MAX_CHECKPOINT:
            raise ValueError(f"a checkpoint has {len(data)} bytes, more than {_MAX_CHECKPOINT}")
        self.last_checkpoint = json.loads(data)
        self._tell(checkpoint=worker_pb2.TaskCheckpointed(checkpoint_json=data))

    def detach(self) -> None:
        """Frees the slot: the work goes on elsewhere, and the holder of the token reports its end. What the handler returns is ignored."""
        self._tell(detached=worker_pb2.TaskDetached())

    def _tell(self, **event: Any) -> None:
        self._loop.call_soon_threadsafe(lambda: self._say(**event))


class HeldTask:
    """The worker's side of a task. Belongs to the event loop."""

    def __init__(
        self, message: worker_pb2.WorkerTask, loop: asyncio.AbstractEventLoop, say: Callable[["HeldTask"], None]
    ) -> None:
        self.message = message
        self.task = Task(message, loop)
        self.task._say = self.say
        self.waiting: list[worker_pb2.TaskReport] = []
        """What waits to be sent, in order."""
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

    def say(self, **event: Any) -> None:
        """Says something about the task, unless its end has been said."""
        if self.ended:
            return
        report = worker_pb2.TaskReport(task_token=self.message.task_token, **event)
        self._keep(report)
        if is_end(report):
            self.drop()
        self._say(self)

    def beat(self) -> None:
        """Says that the task is alive."""
        self.say(alive=worker_pb2.TaskAlive())

    def take(self, most: int) -> list[worker_pb2.TaskReport]:
        """Takes the first `most` of what waits to be sent."""
        taken, self.waiting = self.waiting[:most], self.waiting[most:]
        return taken

    def again(self, report: worker_pb2.TaskReport) -> None:
        """A report goes again, before what was said since. What is for watchers only is lost, and a newer word stands."""
        kind = report.WhichOneof("event")
        if kind in _EPHEMERAL or any(one.WhichOneof("event") == kind for one in self.waiting):
            return
        if kind not in _SIGNS or not self.waiting:
            self.waiting.insert(0, report)

    def _keep(self, report: worker_pb2.TaskReport) -> None:
        kind = report.WhichOneof("event")
        if self.waiting and (kind == "alive" or (kind == "log" and len(self.waiting) >= _MAX_LINES)):
            return
        replaced = _SIGNS if kind == "log" else (*_SIGNS, kind)
        self.waiting = [one for one in self.waiting if one.WhichOneof("event") not in replaced]
        self.waiting.append(report)

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
