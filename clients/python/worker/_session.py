"""The session of a worker: registers it, reads its stream, and keeps it alive.

    registered → polling → (stream lost → pause → polling, or registered again when the session is gone)
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Callable, Optional, Sequence

import grpc

from ..v1 import worker_pb2, worker_service_pb2, worker_service_pb2_grpc
from ._outbox import Outbox, jitter

_MAX_PAUSE = 2.0
_CALL_TIMEOUT = 10.0
_FINAL = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.UNIMPLEMENTED,
}
"""Errors of a registration that no repetition cures."""
_CHANNEL = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
]


class Session:
    """See the top of the file. `worker` is what it registers, `receive` takes what comes on the stream, and `say_alive` says of
    everything that is held that it is alive: the owner of a run may be another one now, and knows nothing yet.
    """

    def __init__(
        self,
        address: str,
        credentials: Optional[grpc.ChannelCredentials],
        token: Optional[str],
        worker: worker_service_pb2.RegisterWorkerRequest,
        receive: Callable[[worker_service_pb2.PollTasksResponse], None],
        say_alive: Callable[[], None],
        log: Callable[[str], None],
    ) -> None:
        self._address = address
        self._credentials = credentials
        self._metadata = [("authorization", f"Bearer {token}")] if token else []
        self._worker = worker
        self._receive = receive
        self._say_alive = say_alive
        self._log = log
        self.registered = worker_service_pb2.RegisterWorkerResponse()
        self._is_registered = False
        self._is_away = False
        self._is_closed = False
        """The worker itself has closed its stream."""
        self._poll: Optional[grpc.aio.UnaryStreamCall] = None

    @contextlib.asynccontextmanager
    async def open(self, handlers: Sequence[str]):
        """Opens a channel for a worker with these handlers."""
        self._worker.handlers[:] = handlers
        if self._credentials is None:
            opened = grpc.aio.insecure_channel(self._address, options=_CHANNEL)
        else:
            opened = grpc.aio.secure_channel(self._address, self._credentials, options=_CHANNEL)
        async with opened as channel:
            self._stub = worker_service_pb2_grpc.WorkerServiceStub(channel)
            yield

    async def read(self, stopping: asyncio.Event, outbox: Outbox) -> None:
        """Reads the stream, again and again, until the worker stops. Raises when the service refuses to register the worker."""
        failures = 0
        while not stopping.is_set():
            try:
                if not self._is_registered:
                    await self._register(outbox)
                self._say_alive()
                self._is_closed = False
                request = worker_service_pb2.PollTasksRequest(session_id=self.registered.session_id)
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
                await asyncio.wait_for(stopping.wait(), jitter(failures, _MAX_PAUSE))

    def close(self) -> None:
        """Ends the stream that is being read."""
        if self._poll is not None:
            self._is_closed = True
            self._poll.cancel()

    async def report(self, reports: Sequence[worker_pb2.TaskReport]) -> Sequence[worker_pb2.TaskReportResult]:
        request = worker_service_pb2.ReportTasksRequest(session_id=self.registered.session_id, reports=reports)
        response = await self._stub.ReportTasks(request, timeout=_CALL_TIMEOUT, metadata=self._metadata)
        return response.results

    async def goodbye(self, timeout: float) -> None:
        """Ends the session. Without this the service waits for it to time out."""
        if not self._is_registered:
            return
        request = worker_service_pb2.ReportTasksRequest(session_id=self.registered.session_id, closing=True)
        with contextlib.suppress(grpc.aio.AioRpcError):
            await self._stub.ReportTasks(request, timeout=timeout, metadata=self._metadata)

    async def beat(self) -> None:
        """Keeps the session alive."""
        while True:
            await asyncio.sleep((self.registered.session_timeout.ToNanoseconds() / 1e9 or 1.0) / 3)
            if not self._is_registered:
                continue
            self._say_alive()
            try:
                await self.report([])
            except grpc.aio.AioRpcError as error:
                if error.code() == grpc.StatusCode.NOT_FOUND:
                    self._is_registered = False
                    self.close()

    async def _register(self, outbox: Outbox) -> None:
        self.registered = await self._stub.RegisterWorker(self._worker, timeout=_CALL_TIMEOUT, metadata=self._metadata)
        outbox.max_reports = self.registered.max_reports
        self._is_registered = True
        self._log(f"connected, with {self._worker.slots} slots for {', '.join(self._worker.handlers)}")

    def _lost(self, error: grpc.aio.AioRpcError) -> None:
        if self._is_registered and error.code() == grpc.StatusCode.NOT_FOUND:
            self._is_registered = False
        elif not self._is_registered and error.code() in _FINAL:
            raise error
        elif not self._is_away:
            self._log(f"the service is away, trying again: {error.details()}")
        self._is_away = True
