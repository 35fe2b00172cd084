"""Starts an order and prints what came of it.

Arguments: the flow, the card. ORCHESTRATOR_SERVER: host and port of the service.
"""

import json
import os
import sys

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToDict
from orchestrator_client.v1 import flow_service_pb2, flow_service_pb2_grpc, run_service_pb2, run_service_pb2_grpc

flow = sys.argv[1] if len(sys.argv) > 1 else "order.yaml"
card = sys.argv[2] if len(sys.argv) > 2 else "4242"

with grpc.insecure_channel(os.environ.get("ORCHESTRATOR_SERVER", "localhost:8002")) as channel:
    with open(flow, encoding="utf-8") as file:
        request = flow_service_pb2.RegisterFlowRequest(source=file.read())
    flow_service_pb2_grpc.FlowServiceStub(channel).RegisterFlow(request)
    order = {"items": [{"price": 10, "count": 2}], "card": card}
    start = run_service_pb2.StartRunRequest(
        flow_id="worker-order", input_json=json.dumps(order).encode(), wait=Duration(seconds=30)
    )
    run = run_service_pb2_grpc.RunServiceStub(channel).StartRun(start).run
    if run.HasField("error"):
        print(f"{run.error.type}: {run.error.message}")
    else:
        print(json.dumps(MessageToDict(run.output)))
