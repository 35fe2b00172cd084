"""A worker: takes tasks from queues, does them with its handlers, and reports what became of them.

    registered → polling → (stream lost → pause → polling, or registered again when the session is gone)
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

from ..v1 import worker_pb2, worker_service_pb2, worker_service_pb2_grpc
from ._call import Handler, call_handler, hand_back
from ._outbox import Outbox, jitter
from ._task import CANCELED, OUTDATED, STOPPING, HeldTask, is_end

_SDK = "python/0.1.0"
_MAX_PAUSE = 2.0
_CALL_TIMEOUT = 10.0
_ABORT_GRACE = 5.0
"""How long aborted handlers have to end, and reports to be answered, seconds."""
_FAREWELL = 0.2
"""How long a stopping worker listens for tasks that it hands back, seconds."""
_FINAL = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.UNIMPLEMENTED,
}
"""Errors of a registration that no repetition cures."""
_OVER = {
    worker_pb2.TASK_REPORT_OUTCOME_OUTDATED,
    worker_pb2.TASK_REPORT_OUTCOME_UNKNOWN,
    worker_pb2.TASK_REPORT_OUTCOME_ALREADY_REPORTED,
}
"""Outcomes of reports after which nothing that is said about the task counts."""
_CHANNEL = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
]


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
        self._address = address
        self._queues = list(queues)
        self._slots = slots
        self._labels = dict(labels or {})
        self._build_id = build_id
        self._name = name or f"{socket.gethostname()}/{os.getpid()}"[:128]
        self._metadata = [("authorization", f"Bearer {token}")] if token else []
        self._credentials = credentials
        self._stop_timeout = stop_timeout
        self._log = log or (lambda message: print(f"worker: {message}", file=sys.stderr, flush=True))
        self._handlers: dict[str, Handler] = {}
        self._held: dict[str, HeldTask] = {}
        self._session = worker_service_pb2.RegisterWorkerResponse()
        self._is_registered = False
        self._is_away = False
        self._is_closed = False
        """The worker itself has closed its stream."""
        self._poll: Optional[grpc.aio.UnaryStreamCall] = None
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
        self._outbox = Outbox(self._report, self._answered, self._log)
        with self._signals():
            async with self._open_channel() as channel:
                self._stub = worker_service_pb2_grpc.WorkerServiceStub(channel)
                helpers = [asyncio.ensure_future(self._outbox.run()), asyncio.ensure_future(self._beat())]
                try:
                    await self._take_tasks()
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
        asyncio.get_running_loop().call_later(_FAREWELL, self._close_poll)

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

    def _open_channel(self) -> grpc.aio.Channel:
        if self._credentials is None:
            return grpc.aio.insecure_channel(self._address, options=_CHANNEL)
        return grpc.aio.secure_channel(self._address, self._credentials, options=_CHANNEL)

    async def _take_tasks(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                if not self._is_registered:
                    await self._register()
                self._say_alive()
                self._is_closed = False
                request = worker_service_pb2.PollTasksRequest(session_id=self._session.session_id)
                self._poll = self._stub.PollTasks(request, metadata=self._metadata)
                async for message in self._poll:
                    failures, self._is_away = 0, False
                    self._receive(message)
            except grpc.aio.AioRpcError as error:
                self._lost(error)
            except asyncio.CancelledError:
                if not self._is_closed:
                    raise
            failures += 1
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), jitter(failures, _MAX_PAUSE))

    async def _register(self) -> None:
        request = worker_service_pb2.RegisterWorkerRequest(
            name=self._name,
            queues=self._queues,
            handlers=list(self._handlers),
            slots=self._slots,
            labels=self._labels,
            build_id=self._build_id,
            sdk=_SDK,
        )
        self._session = await self._stub.RegisterWorker(request, timeout=_CALL_TIMEOUT, metadata=self._metadata)
        self._outbox.max_reports = self._session.max_reports
        self._is_registered = True
        self._log(f"connected, with {self._slots} slots for {', '.join(self._handlers)}")

    def _lost(self, error: grpc.aio.AioRpcError) -> None:
        if self._is_registered and error.code() == grpc.StatusCode.NOT_FOUND:
            self._is_registered = False
        elif not self._is_registered and error.code() in _FINAL:
            raise error
        elif not self._is_away:
            self._log(f"the service is away, trying again: {error.details()}")
        self._is_away = True

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
        held.say(**await call_handler(held, handler, self._session.max_output_bytes))

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

    async def _report(
        self, reports: Sequence[worker_pb2.TaskReport], closing: bool = False
    ) -> Sequence[worker_pb2.TaskReportResult]:
        session_id = self._session.session_id
        request = worker_service_pb2.ReportTasksRequest(session_id=session_id, reports=reports, closing=closing)
        timeout = _ABORT_GRACE if closing else _CALL_TIMEOUT
        response = await self._stub.ReportTasks(request, timeout=timeout, metadata=self._metadata)
        return response.results

    def _say_alive(self) -> None:
        """Says of everything that it is alive: the owner of a run may be another one now, and knows nothing yet."""
        for held in list(self._held.values()):
            held.beat()

    async def _beat(self) -> None:
        """Keeps the session alive."""
        while True:
            await asyncio.sleep((self._session.session_timeout.ToNanoseconds() / 1e9 or 1.0) / 3)
            if not self._is_registered:
                continue
            self._say_alive()
            try:
                await self._report([])
            except grpc.aio.AioRpcError as error:
                if error.code() == grpc.StatusCode.NOT_FOUND:
                    self._is_registered = False
                    self._close_poll()

    def _close_poll(self) -> None:
        if self._poll is not None:
            self._is_closed = True
            self._poll.cancel()

    async def _finish(self) -> None:
        await self._until_idle(self._stop_timeout, self._hurry)
        for held in list(self._held.values()):
            held.abort(STOPPING)
        await self._until_idle(_ABORT_GRACE)
        if self._is_registered:
            # Goodbye. Without it the service waits for the session to time out.
            with contextlib.suppress(grpc.aio.AioRpcError):
                await self._report([], closing=True)

    async def _until_idle(self, timeout: float, hurry: Optional[asyncio.Event] = None) -> None:
        if not self._held:
            return
        waits = [asyncio.ensure_future(event.wait()) for event in (self._idle, hurry) if event is not None]
        await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
