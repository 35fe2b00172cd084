"""What the worker has to say, in as few calls as possible: one call is under way, and what comes meanwhile goes with the next.

A report is repeated until the service has answered it.
"""

from __future__ import annotations

import asyncio
import random
from typing import Awaitable, Callable, Sequence

import grpc

from ..v1 import worker_pb2
from ._errors import REPORT_REFUSED, NonRetryableError, to_errored
from ._task import HeldTask, is_end

_MAX_BYTES = 1_024 * 1_024
"""Bytes after which the rest goes with the next call."""
_MAX_PAUSE = 2.0

Said = tuple[HeldTask, worker_pb2.TaskReport]
Send = Callable[[Sequence[worker_pb2.TaskReport]], Awaitable[Sequence[worker_pb2.TaskReportResult]]]
Answered = Callable[[HeldTask, worker_pb2.TaskReport, worker_pb2.TaskReportResult], None]


def jitter(failures: int, most: float) -> float:
    """A random delay in seconds that doubles with every failure, from 50 ms up to `most`."""
    return min(most, 0.05 * 2 ** min(failures, 10)) * (0.5 + random.random() / 2)


class Outbox:
    """Sends reports. `send` makes the call, and gives one result for each report; `answered` takes each."""

    def __init__(self, send: Send, answered: Answered, log: Callable[[str], None]) -> None:
        self.max_reports = 1
        self._send = send
        self._answered = answered
        self._log = log
        self._waiting: dict[HeldTask, None] = {}
        self._wake = asyncio.Event()
        self._failures = 0
        self._singly = 0
        """A call was refused for one of its reports: so many go one by one."""

    def add(self, held: HeldTask) -> None:
        """Something about the task waits to be sent."""
        self._waiting[held] = None
        self._wake.set()

    async def run(self) -> None:
        """Sends until it is canceled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                batch = self._take()
                try:
                    results = await self._send([report for _, report in batch])
                except grpc.aio.AioRpcError as error:
                    self._failed(batch, error)
                else:
                    self._settle(batch, results)
                if self._failures:
                    await asyncio.sleep(jitter(self._failures, _MAX_PAUSE))

    def _take(self) -> list[Said]:
        batch: list[Said] = []
        most = 1 if self._singly else self.max_reports
        size = 0
        for held in list(self._waiting):
            if len(batch) >= most or size > _MAX_BYTES:
                break
            for report in held.take(most - len(batch)):
                size += report.ByteSize()
                batch.append((held, report))
            if not held.waiting:
                del self._waiting[held]
        return batch

    def _settle(self, batch: Sequence[Said], results: Sequence[worker_pb2.TaskReportResult]) -> None:
        self._singly = max(0, self._singly - 1)
        unavailable = []
        for said, result in zip(batch, results):
            if result.outcome == worker_pb2.TASK_REPORT_OUTCOME_UNAVAILABLE:
                unavailable.append(said)
            else:
                self._answered(*said, result)
        self._again(unavailable)
        self._failures = self._failures + 1 if unavailable else 0

    def _again(self, batch: Sequence[Said]) -> None:
        """The last one first: each goes before what was said after it."""
        for held, report in reversed(batch):
            held.again(report)
            if held.waiting:
                self._waiting[held] = None

    def _failed(self, batch: Sequence[Said], error: grpc.aio.AioRpcError) -> None:
        is_refused = error.code() == grpc.StatusCode.INVALID_ARGUMENT
        if is_refused and len(batch) == 1:
            self._refused(*batch[0], error.details() or "")
            return
        if is_refused:
            self._singly = len(batch)
        else:
            self._failures += 1
        self._again(batch)

    def _refused(self, held: HeldTask, report: worker_pb2.TaskReport, problem: str) -> None:
        """A result or an error that the service does not take fails its task with another one, which says so."""
        self._log(f"the service refused a report about {held.task.id} of run {held.task.run_id}: {problem}")
        if report.failed.type == REPORT_REFUSED:
            unknown = worker_pb2.TASK_REPORT_OUTCOME_UNKNOWN
            self._answered(held, report, worker_pb2.TaskReportResult(outcome=unknown, message=problem))
        elif is_end(report):
            failed = to_errored(NonRetryableError(REPORT_REFUSED, problem))
            self._again([(held, worker_pb2.TaskReport(task_token=report.task_token, failed=failed))])
