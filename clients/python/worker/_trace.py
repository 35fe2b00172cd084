"""The trace of a task, for handlers that record spans."""

from __future__ import annotations

import contextlib
from typing import Iterator

from ._task import Task

try:
    from opentelemetry import context, propagate
except ImportError:  # Nobody records spans here.
    context = propagate = None


@contextlib.contextmanager
def in_trace(task: Task) -> Iterator[None]:
    """Makes the spans that are begun meanwhile children of the attempt, if opentelemetry-api is installed."""
    if propagate is None or context is None or not task.traceparent:
        yield
        return
    attached = context.attach(propagate.extract(task.trace_context))
    try:
        yield
    finally:
        context.detach(attached)
