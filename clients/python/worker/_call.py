"""One call of a handler, and what to report about it."""

from __future__ import annotations

import asyncio
import inspect
import json
import threading
from typing import Any, Callable

from ..v1 import worker_pb2
from ._errors import NonRetryableError, TaskError, to_errored
from ._task import CANCELED, STOPPING, TIMEOUT, HeldTask, Task
from ._trace import in_trace

Handler = Callable[[Any, Task], Any]
"""Does tasks of one name: returns the output, which must be JSON, or raises. May be async."""


async def call_handler(held: HeldTask, handler: Handler, max_output_bytes: int) -> dict[str, Any]:
    """Calls the handler of a task: an async one in the event loop, any other in a thread of its own. Never raises."""
    try:
        text = held.message.input_json
        value = json.loads(text) if text else None
        if inspect.iscoroutinefunction(handler):
            with in_trace(held.task):  # A task of asyncio keeps the context in which it was made.
                held.running = asyncio.ensure_future(handler(value, held.task))
            if held.task.canceled:
                held.running.cancel()
            output = await held.running
        else:
            output = await _call_in_thread(handler, value, held.task)
        return {"succeeded": worker_pb2.TaskSucceeded(output_json=_encode_output(output, max_output_bytes))}
    except BaseException as error:  # Everything that a handler raises is the error of its task.
        return _to_failure(held, error)


async def _call_in_thread(handler: Handler, value: Any, task: Task) -> Any:
    """A thread that nobody waits for at exit: a handler that never returns must not keep the process."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future = loop.create_future()

    def call() -> None:
        try:
            with in_trace(task):
                result = (handler(value, task), None)
        except BaseException as error:  # Goes to the event loop, as any other result.
            result = (None, error)
        try:
            loop.call_soon_threadsafe(future.set_result, result)
        except RuntimeError:
            pass  # The worker has stopped without this handler.

    threading.Thread(target=call, name=f"handler {task.handler}", daemon=True).start()
    output, error = await future
    if error is not None:
        raise error
    return output


def _encode_output(output: Any, max_bytes: int) -> bytes:
    try:
        text = json.dumps(output, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise NonRetryableError("OUTPUT_INVALID", f"the handler returned what is not JSON: {error}") from error
    data = text.encode()
    if len(data) <= max_bytes:
        return data
    raise NonRetryableError("OUTPUT_TOO_LARGE", f"the output has {len(data)} bytes of JSON, more than {max_bytes}")


def _to_failure(held: HeldTask, error: BaseException) -> dict[str, Any]:
    """The report of what a handler raised. After an abort, only an error with a type of its own is news."""
    cause = held.task._cause
    if not isinstance(error, TaskError):
        if cause == CANCELED:
            return {"stopped": worker_pb2.TaskStopped()}
        if cause == STOPPING:
            return hand_back("the worker stopped before the handler ended")
        if cause == TIMEOUT:
            error = TaskError("TIMEOUT", "the handler took too long")
    return {"failed": to_errored(error)}


def hand_back(reason: str) -> dict[str, Any]:
    """The report that the task goes to another worker, with the same attempt."""
    return {"handed_back": worker_pb2.TaskHandedBack(reason=reason)}
