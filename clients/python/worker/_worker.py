"""A worker: takes tasks from queues, does them with its handlers, and reports what became of them. See _session.py for how it reaches
the service.

    stopping: no new tasks → handlers may end → what still runs is aborted and handed back → stopped
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import signal
import socket
import sys
from typing import Callable, Mapping, Optional, Sequence

import grpc

from ..v1 import worker_pb2, worker_service_pb2
from ._call import Handler, call_handler, hand_back
from ._outbox import Outbox
from ._session import Session
from ._task import CANCELED, OUTDATED, STOPPING, HeldTask, is_end

_SDK = "python/0.1.0"
_ABORT_GRACE = 5.0
"""How long aborted handlers have to end, and reports to be answered, seconds."""
_FAREWELL = 0.2
"""How long a stopping worker listens for tasks that it hands back, seconds."""
_OVER = {
    worker_pb2.TASK_REPORT_OUTCOME_OUTDATED,
    worker_pb2.TASK_REPORT_OUTCOME_UNKNOWN,
    worker_pb2.TASK_REPORT_OUTCOME_ALREADY_REPORTED,
}
"""Outcomes of reports after which nothing that is said about the task counts."""

class Worker:
    """See the top of the file.

    `address`: `host:port`. `credentials`: those of gRPC, for TLS. `token`: sent as `authorization: Bearer …`. `name`: for people; host
    and process by default. `queues`: `default` by default. `slots`: how many tasks to do at the same time. `labels`: what this
    worker has that tasks may ask for. `build_id`: its build, for queues that name the builds that they take. `stop_timeout`: how
    long a stop waits for handlers before it aborts them, seconds. `log` takes what is worth knowing; standard error by default.
    """

    def __init__(
        self,
        address: str = "localhost:8002",
        *,
        queues: Sequence[str] = (),
        slots: int = 10,
        labels: Optional[Mapping[str, str]] = None,
        build_id: str = "",
        name: Optional[str] = None,
        token: Optional[str] = None,
        credentials: Optional[grpc.ChannelCredentials] = None,
        stop_timeout: float = 30.0,
        log: Optional[Callable[[str], None]] = None,
    ) -> None:
        worker = worker_service_pb2.RegisterWorkerRequest(
            name=name or f"{socket.gethostname()}/{os.getpid()}"[:128],
            queues=queues,
            slots=slots,
            labels=labels,
            build_id=build_id,
            sdk=_SDK,
        )
        self._stop_timeout = stop_timeout
        self._log = log or (lambda message: print(f"worker: {message}", file=sys.stderr, flush=True))
        self._handlers: dict[str, Handler] = {}
        self._held: dict[str, HeldTask] = {}
        self._session = Session(address, credentials, token, worker, self._receive, self._say_alive, self._log)
        self._loop: Optional[asyncio.AbstractEventLoop] = None

    def handler(self, name: str) -> Callable[[Handler], Handler]:
        """Registers the function below it as a handler."""

        def register(function: Handler) -> Handler:
            self.handle(name, function)
            return function

        return register

    def handle(self, name: str, function: Handler) -> None:
        """Registers a handler; before `run`."""
        try:
            inspect.signature(function).bind(None, None)
        except TypeError:
            raise TypeError(f"the handler {name} must take two arguments, the input and the task") from None
        self._handlers[name] = function

    def run(self) -> None:
        """Works until SIGINT, SIGTERM, or `stop`, then stops: it takes no new tasks, waits for its handlers, and hands back what they
        do not finish. A second signal aborts them at once. Raises grpc.aio.AioRpcError when the service refuses to register the
        worker; a service that is away is waited for.
        """
        asyncio.run(self.serve())

    async def serve(self) -> None:
        """`run` inside an event loop that is there already."""
        self._loop = asyncio.get_running_loop()
        self._stopping, self._hurry, self._idle = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._outbox = Outbox(self._session.report, self._answered, self._log)
        with self._signals():
            async with self._session.open(list(self._handlers)):
                helpers = [asyncio.ensure_future(self._outbox.run()), asyncio.ensure_future(self._session.beat())]
                try:
                    await self._session.read(self._stopping, self._outbox)
                    await self._finish()
                finally:
                    for helper in helpers:
                        helper.cancel()
                    await asyncio.gather(*helpers, return_exceptions=True)

    def stop(self) -> None:
        """Begins to stop; from any thread. `run` returns when it has."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._begin_to_stop)

    def _begin_to_stop(self) -> None:
        if self._stopping.is_set():
            self._hurry.set()
            return
        self._stopping.set()
        # What is on its way is handed back, and what is here acknowledged, before the stream closes: neither counts as lost.
        asyncio.get_running_loop().call_later(_FAREWELL, self._session.close)

    @contextlib.contextmanager
    def _signals(self):
        loop, added = asyncio.get_running_loop(), []
        for number in (signal.SIGINT, signal.SIGTERM):
            # Only the main thread may, and not on Windows; elsewhere `stop` remains.
            with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
                loop.add_signal_handler(number, self._begin_to_stop)
                added.append(number)
        try:
            yield
        finally:
            for number in added:
                loop.remove_signal_handler(number)

    def _receive(self, message: worker_service_pb2.PollTasksResponse) -> None:
        event = message.WhichOneof("event")
        if event == "task" and message.task.task_token not in self._held:
            held = HeldTask(message.task, asyncio.get_running_loop(), self._outbox.add)
            self._held[message.task.task_token] = held
            self._idle.clear()
            handler = self._handlers.get(message.task.handler)
            if self._stopping.is_set():
                held.say(**hand_back("the worker stops"))
            elif handler is None:
                held.say(**hand_back(f"there is no handler {message.task.handler}"))
            else:
                held.call = asyncio.ensure_future(self._handle(held, handler))
        elif event == "cancellation" and message.cancellation.task_token in self._held:
            self._held[message.cancellation.task_token].abort(CANCELED)
        elif event == "drain" and not self._stopping.is_set():
            self._log(f"an operator drains this worker: {message.drain.reason}")
            self._begin_to_stop()

    async def _handle(self, held: HeldTask, handler: Handler) -> None:
        held.say(acknowledged=worker_pb2.TaskAcknowledged())
        held.say(**await call_handler(held, handler, self._session.registered.max_output_bytes))

    def _answered(
        self, held: HeldTask, report: worker_pb2.TaskReport, result: worker_pb2.TaskReportResult
    ) -> None:
        is_over = result.outcome in _OVER
        if result.outcome == worker_pb2.TASK_REPORT_OUTCOME_CANCEL_REQUESTED:
            held.abort(CANCELED)
        if result.outcome == worker_pb2.TASK_REPORT_OUTCOME_REFUSED:
            self._log(f"a report about {held.task.id} was refused: {result.message}")
        if is_over:
            held.abort(OUTDATED)
            held.drop()
        if is_over or is_end(report):
            self._held.pop(held.message.task_token, None)
            if not self._held:
                self._idle.set()

    def _say_alive(self) -> None:
        for held in list(self._held.values()):
            held.beat()

    async def _finish(self) -> None:
        await self._until_idle(self._stop_timeout, self._hurry)
        for held in list(self._held.values()):
            held.abort(STOPPING)
        await self._until_idle(_ABORT_GRACE)
        await self._session.goodbye(_ABORT_GRACE)

    async def _until_idle(self, timeout: float, hurry: Optional[asyncio.Event] = None) -> None:
        if not self._held:
            return
        waits = [asyncio.ensure_future(event.wait()) for event in (self._idle, hurry) if event is not None]
        await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
