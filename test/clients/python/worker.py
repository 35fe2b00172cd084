"""A worker with the handlers that the scenarios ask for.

ORCHESTRATOR_TEST_ADDR: host and port of the service. Prints a line for everything that a scenario waits for.
"""

import asyncio
import os

from orchestrator_client.worker import NonRetryableError, TaskCanceled, TaskError, Worker


def say(text):
    """Prints a line at once."""
    print(text, flush=True)


worker = Worker(
    os.environ["ORCHESTRATOR_TEST_ADDR"],
    queues=["test"],
    slots=20,
    stop_timeout=float(os.environ.get("STOP_TIMEOUT_MS", "20000")) / 1_000,
    log=lambda message: say(f"log {message}"),
)


@worker.handler("double")
async def double(input, task):
    """An async handler."""
    return {"doubled": input["n"] * 2}


@worker.handler("flaky")
def flaky(input, task):
    """Fails twice."""
    if task.attempt < 3:
        raise TaskError("FLAKY", f"attempt {task.attempt}", next_retry_delay=0.01)
    return {
        "attempt": task.attempt,
        "idempotencyKey": task.idempotency_key,
        "fencingToken": task.fencing_token,
        "runId": task.run_id,
        "correlationId": task.correlation_id,
    }


@worker.handler("decline")
def decline(input, task):
    """Fails for good."""
    raise NonRetryableError("CARD_DECLINED", "the card is declined")


@worker.handler("broken")
def broken(input, task):
    """Has a bug."""
    raise ValueError("out of range")


@worker.handler("steps")
def steps(input, task):
    """Goes on from its checkpoint."""
    task.progress(current=task.attempt, total=2)
    task.log(f"attempt {task.attempt}")
    if task.attempt == 2:
        return {"attempt": 2, **task.last_checkpoint}
    task.checkpoint({"page": 1})
    raise TaskError("AGAIN", "half of it is done")


@worker.handler("detach")
def detach(input, task):
    """Leaves the end to others."""
    task.detach()


@worker.handler("wait")
def wait(input, task):
    """Waits for a file in a thread; ends early when its result is no longer wanted."""
    say(f"begun {task.attempt}")
    try:
        while not os.path.exists(input["file"]):
            task.sleep(0.02)
    except TaskCanceled:
        say("aborted")
        raise
    return {"attempt": task.attempt, "fencingToken": task.fencing_token}


@worker.handler("wait_async")
async def wait_async(input, task):
    """The same in the event loop."""
    say(f"begun {task.attempt}")
    try:
        while not os.path.exists(input["file"]):
            await asyncio.sleep(0.02)
    except asyncio.CancelledError:
        say("aborted")
        raise
    return {"attempt": task.attempt}


worker.run()
say("stopped")
