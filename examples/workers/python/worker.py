"""A worker for the flow in order.yaml. ORCHESTRATOR_SERVER: host and port of the service."""

import os

from orchestrator_client.worker import NonRetryableError, TaskError, Worker

worker = Worker(os.environ.get("ORCHESTRATOR_SERVER", "localhost:8002"), queues=["orders"], slots=20)


@worker.handler("price")
def price(input, task):
    """Adds the items up."""
    return {"total": sum(item["price"] * item["count"] for item in input["items"])}


@worker.handler("charge")
async def charge(input, task):
    """Charges the card; handlers may be async."""
    if input["card"].startswith("0"):
        raise NonRetryableError("CARD_DECLINED", "the bank declines this card")
    # The bank is away at first. The retry policy of the flow tries again; this error says when.
    if task.attempt == 1:
        raise TaskError("BANK_AWAY", "the bank does not answer", next_retry_delay=0.1)
    # Every attempt has the same key, so the bank charges the card once.
    return {"receipt": task.idempotency_key}


worker.run()
