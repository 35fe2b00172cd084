"""Runs a handler without a service, for its unit tests."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any, Optional, Sequence

from ..v1 import worker_pb2
from ._call import Handler, call_handler
from ._task import CANCELED, HeldTask

_MAX_WAITING = 1_000
"""More than a handler can say at once."""
_MAX_OUTPUT_BYTES = 4 * 1_024 * 1_024


@dataclass(frozen=True)
class HandlerError:
    """The error of a handler, as flows and retry policies see it."""

    type: str
    message: str
    retryable: bool
    next_retry_delay: Optional[float] = None
    details: Any = None


@dataclass(frozen=True)
class HandlerResult:
    """What the service would learn of a call."""

    state: str
    """`succeeded`, `failed`, `stopped`, or `detached`."""
    output: Any = None
    error: Optional[HandlerError] = None
    heartbeats: int = 0
    """How often the handler called `heartbeat`."""
    progress: Sequence[dict[str, Any]] = ()
    """What it told those who watch."""
    logs: Sequence[str] = ()
    checkpoints: Sequence[Any] = ()
    """What it saved."""


def run_handler(
    handler: Handler,
    input: Any = None,
    *,
    timeout: Optional[float] = None,
    cancel_after: Optional[float] = None,
    last_checkpoint: Any = None,
    **task: Any,
) -> HandlerResult:
    """Calls the handler as a worker does: input and output travel as JSON.

    `timeout` and `cancel_after` are seconds. `last_checkpoint` is what an earlier attempt has saved. `task` sets fields of the task: `attempt`, `idempotency_key`, `run_id`, … Never raises for
    what the handler raises.
    """
    checkpoint = b"" if last_checkpoint is None else json.dumps(last_checkpoint).encode()
    return asyncio.run(_run(handler, input, timeout, cancel_after, {"checkpoint_json": checkpoint, **task}))


async def _run(
    handler: Handler, value: Any, timeout: Optional[float], cancel_after: Optional[float], fields: dict[str, Any]
) -> HandlerResult:
    defaults = {
        "handler": getattr(handler, "__name__", "test"),
        "queue": "default",
        "run_id": "test-run",
        "task_id": "test",
        "flow_id": "test-flow",
        "attempt": 1,
        "idempotency_key": "test-run/test/0",
        "fencing_token": 1,
    }
    message = worker_pb2.WorkerTask(task_token="test", input_json=json.dumps(value).encode(), **{**defaults, **fields})
    if timeout is not None:
        message.timeout.FromMilliseconds(round(timeout * 1_000))
    beats, is_detached = 0, False
    said: dict[str, list[Any]] = {"progress": [], "logs": [], "checkpoints": []}

    def say(held: HeldTask) -> None:
        nonlocal beats, is_detached
        for report in held.take(_MAX_WAITING):
            kind = report.WhichOneof("event")
            beats += kind == "alive"
            is_detached = is_detached or kind == "detached"
            if kind == "progress":
                said["progress"].append({field.name: value for field, value in report.progress.ListFields()})
            elif kind == "log":
                said["logs"].append(report.log.text)
            elif kind == "checkpoint":
                said["checkpoints"].append(json.loads(report.checkpoint.checkpoint_json))

    held = HeldTask(message, asyncio.get_running_loop(), say)
    if cancel_after is not None:
        asyncio.get_running_loop().call_later(cancel_after, held.abort, CANCELED)
    event = await call_handler(held, handler, _MAX_OUTPUT_BYTES)
    # What a thread says arrives before its result.
    held.drop()
    told = {"heartbeats": beats, **said}
    if is_detached:
        return HandlerResult("detached", **told)
    if "succeeded" in event:
        return HandlerResult("succeeded", json.loads(event["succeeded"].output_json), **told)
    if "failed" not in event:
        return HandlerResult("stopped", **told)
    failed = event["failed"]
    delay = failed.next_retry_delay.ToMilliseconds() / 1_000 if failed.HasField("next_retry_delay") else None
    details = json.loads(failed.details_json) if failed.details_json else None
    error = HandlerError(failed.type, failed.message, not failed.non_retryable, delay, details)
    return HandlerResult("failed", error=error, **told)
