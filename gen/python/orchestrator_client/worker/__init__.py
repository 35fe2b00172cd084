"""Workers: processes that do the tasks of type `worker`.

    from orchestrator_client.worker import Worker

    worker = Worker("localhost:8002")

    @worker.handler("greet")
    def greet(input, task):
        return {"text": f"Hello, {input['who']}!"}

    worker.run()
"""

from ._errors import NonRetryableError, TaskCanceled, TaskError
from ._task import Task
from ._worker import Worker

__all__ = ["NonRetryableError", "Task", "TaskCanceled", "TaskError", "Worker"]
