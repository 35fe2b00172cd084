"""An executor of somebody else: what it does is in the name of the handler and in the inputs of the task."""
import json
import sys
import time

from confluent_kafka import Consumer, Producer

servers = sys.argv[1]
consumer = Consumer({"bootstrap.servers": servers, "group.id": "executors", "auto.offset.reset": "earliest"})
producer = Producer({"bootstrap.servers": servers})
consumer.subscribe(["task_queue"])
while True:
    message = consumer.poll(0.2)
    if message is None or message.error():
        continue
    task = json.loads(message.value())
    inputs = task["inputs"]
    time.sleep(inputs.get("takes", 1) / 1000)
    answer = {"run_id": task["run_id"], "task_id": task["task_id"], "execution_time_ms": inputs.get("takes", 1)}
    if task["handler"] == "silent":
        continue
    if task["handler"] == "broken" or task["attempt"] < inputs.get("fails", 0):
        producer.produce("task_failed", json.dumps({**answer, "error": "it broke"}), key=task["run_id"])
    else:
        producer.produce("task_done", json.dumps({**answer, "output": {"saw": inputs}}), key=task["run_id"])
    producer.flush()
