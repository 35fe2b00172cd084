"""The Python worker of the demo. ORCHESTRATOR_SERVER: host and port of the service."""

import os

from orchestrator_client.worker import Worker

worker = Worker(os.environ["ORCHESTRATOR_SERVER"], name="Python", queues=["photos"], slots=3, log=lambda message: None)


@worker.handler("develop")
def develop(input, task):
    """Takes a while."""
    print(f"begins photo {input['photo']}", flush=True)
    task.sleep(0.6)
    return {"by": "Python"}


worker.run()
