"""Registers a flow, starts it, watches it to its end and asks for one that is missing, with the generated client.

Arguments: the file of the flow. ORCHESTRATOR_TEST_ADDR: host and port of the service. Prints one line of JSON.
"""

import json
import os
import pathlib
import sys

import grpc
from google.protobuf import duration_pb2, json_format
from google.rpc import error_details_pb2, status_pb2
from orchestrator_client.v1 import flow_service_pb2, flow_service_pb2_grpc, run_pb2, run_service_pb2, run_service_pb2_grpc

INPUT = b'{"count": 21}'


def watch(runs, run_id, report):
    """Follows a run to its end and notes the frames."""
    last = 0
    for response in runs.WatchRun(run_service_pb2.WatchRunRequest(run_id=run_id), timeout=60):
        kind = response.WhichOneof("frame")
        if kind in ("snapshot", "event", "end"):
            report["frames"].append(kind)
        if kind == "snapshot":
            last = response.snapshot.run.sequence
        if kind == "event" and response.event.durable:
            report["ordered"] = report["ordered"] and response.event.sequence == last + 1
            last = response.event.sequence
        if kind == "end":
            report["state"] = run_pb2.RunState.Name(response.end.run.state)
            report["output"] = json_format.MessageToDict(response.end.run.output)


def reason_of(error):
    """Reads ErrorInfo.reason out of the trailers."""
    packed = dict(error.trailing_metadata())["grpc-status-details-bin"]
    for detail in status_pb2.Status.FromString(packed).details:
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            return info.reason
    return ""


def main():
    """Runs the check."""
    report = {"frames": [], "ordered": True, "code": "", "reason": ""}
    with grpc.insecure_channel(os.environ["ORCHESTRATOR_TEST_ADDR"]) as channel:
        runs = run_service_pb2_grpc.RunServiceStub(channel)
        flows = flow_service_pb2_grpc.FlowServiceStub(channel)
        source = pathlib.Path(sys.argv[1]).read_text(encoding="utf-8")
        flow = flows.RegisterFlow(flow_service_pb2.RegisterFlowRequest(source=source), timeout=30).flow
        report["flow"] = f"{flow.flow_id}@{flow.version}"

        request = run_service_pb2.StartRunRequest(flow_id="client-check", input_json=INPUT)
        watch(runs, runs.StartRun(request, timeout=30).run.run_id, report)

        request.wait.CopyFrom(duration_pb2.Duration(seconds=20))
        report["waited"] = run_pb2.RunState.Name(runs.StartRun(request, timeout=30).run.state)
        try:
            runs.StartRun(run_service_pb2.StartRunRequest(flow_id="missing"), timeout=30)
        except grpc.RpcError as error:
            report["code"] = error.code().name
            report["reason"] = reason_of(error)
    print(json.dumps(report))


main()
