"""Checks the harness that runs handlers without a service. Prints ok."""

import asyncio

from orchestrator_client.worker import NonRetryableError, TaskError, Worker
from orchestrator_client.worker.testing import HandlerError, run_handler


def see(input, task):
    """Returns what it sees."""
    task.heartbeat()
    task.heartbeat()
    return {"input": input, "attempt": task.attempt, "key": task.idempotency_key, "limited": task.deadline is not None}


async def see_async(input, task):
    """The same in the event loop."""
    await asyncio.sleep(0)
    return see(input, task)


def fail(error):
    """A handler that raises."""

    def handler(input, task):
        raise error

    return handler


def wait(input, task):
    """Waits for its end."""
    task.sleep(60)


async def wait_async(input, task):
    """Waits for its end in the event loop."""
    await asyncio.sleep(60)


expected = {"input": [1, {"a": None}], "attempt": 3, "key": "k", "limited": True}
for handler in (see, see_async):
    result = run_handler(handler, (1, {"a": None}), attempt=3, idempotency_key="k", timeout=60)
    assert (result.state, result.output, result.heartbeats) == ("succeeded", expected, 2), result

assert run_handler(fail(TaskError("BUSY", "later", next_retry_delay=1.5))).error == HandlerError("BUSY", "later", True, 1.5)
assert run_handler(fail(TaskError("A", "a", details={"codes": [1]}))).error == HandlerError("A", "a", True, None, {"codes": [1]})
assert run_handler(fail(TaskError("A", "a", details=object()))).error == HandlerError("A", "a", True)
assert run_handler(fail(NonRetryableError("NO", "no"))).error == HandlerError("NO", "no", False)
assert run_handler(fail(KeyError("x"))).error == HandlerError("HANDLER_FAILED", "KeyError: 'x'", True)
assert run_handler(fail(TaskError("", "x\ud800" * 9_000))).error == HandlerError("HANDLER_FAILED", "x?" * 4_096, True)
assert run_handler(fail(ValueError("a\0b"))).error.message == "ValueError: a?b"
assert run_handler(fail(TaskError("A\0B", "a\0b"))).error == HandlerError("AB", "a?b", True)


class Unprintable(Exception):
    """An error with a bug of its own."""

    def __str__(self):
        raise RuntimeError("no text")


unprintable = run_handler(fail(Unprintable())).error
assert (unprintable.type, unprintable.message) == ("HANDLER_FAILED", "Unprintable: a Unprintable that cannot be printed")
assert run_handler(lambda input, task: float("nan")).error.type == "OUTPUT_INVALID"
assert run_handler(lambda input, task: object()).error.retryable is False
assert run_handler(lambda input, task: "x" * 2**22).error.type == "OUTPUT_TOO_LARGE"


def work(input, task):
    """Says everything that a handler can say."""
    task.progress(current=1, total=2, message="half")
    task.progress(7)
    task.log("reads", "debug")
    task.log(5)
    task.checkpoint({"page": task.last_checkpoint["page"] + 1})
    return task.last_checkpoint


async def work_async(input, task):
    """The same in the event loop."""
    return work(input, task)


for handler in (work, work_async):
    result = run_handler(handler, last_checkpoint={"page": 1})
    assert result.output == {"page": 2}, result
    assert result.progress == [{"current": 1, "total": 2, "message": "half"}, {"fraction": 1.0}], result
    assert (result.logs, result.checkpoints) == (["reads", "5"], [{"page": 2}]), result
assert "more than 65536" in run_handler(lambda input, task: task.checkpoint("x" * 65_536)).error.message
assert run_handler(lambda input, task: task.detach()).state == "detached"

for handler in (wait, wait_async):
    assert run_handler(handler, cancel_after=0.01).state == "stopped"
    assert run_handler(handler, timeout=0.01).error.type == "TIMEOUT"

try:
    Worker().handle("one", lambda input: input)
    raise AssertionError("a handler of one argument was taken")
except TypeError as problem:
    assert str(problem) == "the handler one must take two arguments, the input and the task"
print("ok")
