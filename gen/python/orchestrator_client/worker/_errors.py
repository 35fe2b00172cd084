"""Errors that a handler raises to say what shall happen next."""

from __future__ import annotations

import json
from typing import Any, Optional

from ..v1 import worker_pb2

HANDLER_FAILED = "HANDLER_FAILED"
"""The type of every error that is not a TaskError."""

REPORT_REFUSED = "REPORT_REFUSED"
"""The type of the error that stands for a result or an error which the service refuses."""

_MAX_TYPE = 128
_MAX_MESSAGE = 8_192
_MAX_DELAY = 31_536_000.0
_MAX_DETAILS = 1_000_000


class TaskError(Exception):
    """Fails a task with a type of its own, which retry policies and flows match: `CARD_DECLINED`.

    `retryable`: another attempt may succeed; the retry policy of the task has the last word. `next_retry_delay`: seconds before
    the next attempt; overrides the retry policy. `details`: more for flows, as `tasks.<id>.error.details`; anything that
    JSON can say.
    """

    def __init__(
        self,
        type: str,
        message: str = "",
        *,
        retryable: bool = True,
        next_retry_delay: Optional[float] = None,
        details: Any = None,
    ) -> None:
        super().__init__(message)
        self.type = type
        self.message = message
        self.retryable = retryable
        self.next_retry_delay = None if next_retry_delay is None else float(next_retry_delay)
        self.details = details


class NonRetryableError(TaskError):
    """Fails a task for good: there is no further attempt."""

    def __init__(self, type: str, message: str = "") -> None:
        super().__init__(type, message, retryable=False)


class TaskCanceled(Exception):
    """The result of the handler is no longer wanted. Raised by `task.sleep` and `task.raise_if_canceled`."""


def to_errored(error: BaseException) -> worker_pb2.TaskErrored:
    """The error of a handler as the service takes it: texts are cut to size."""
    if not isinstance(error, TaskError):
        message = f"{type(error).__name__}: {_print(error)}"
        return worker_pb2.TaskErrored(type=HANDLER_FAILED, message=cut(message, _MAX_MESSAGE))
    name = cut(_print(error.type).replace("\0", ""), _MAX_TYPE) or HANDLER_FAILED
    errored = worker_pb2.TaskErrored(
        type=name, message=cut(error.message, _MAX_MESSAGE), non_retryable=not error.retryable
    )
    if error.next_retry_delay is not None:
        millis = round(min(max(0.0, float(error.next_retry_delay)), _MAX_DELAY) * 1_000)
        errored.next_retry_delay.FromMilliseconds(millis)
    details = _to_details(error.details)
    if details is not None:
        errored.details_json = details
    return errored


def _to_details(details: object) -> Optional[bytes]:
    """Details that are no JSON, or too large, are left out: the task must end all the same."""
    try:
        text = json.dumps(details, allow_nan=False).encode() if details is not None else None
    except Exception:
        return None
    return text if text is not None and len(text) <= _MAX_DETAILS else None


def cut(value: object, size: int) -> str:
    """At most `size` characters of what the value prints. What Protobuf and the service refuse becomes question marks: half
    surrogates and NUL."""
    return _print(value)[:size].replace("\0", "?").encode("utf-8", "replace").decode("utf-8")


def _print(value: object) -> str:
    """Also of a value that cannot be printed: its task must end all the same."""
    try:
        return str(value)
    except Exception:
        return f"a {type(value).__name__} that cannot be printed"
