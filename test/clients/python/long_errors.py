"""Asks for errors whose texts are long and not ASCII, and reads their details, with the generated client.

ORCHESTRATOR_TEST_ADDR: host and port of the service. Prints one line of JSON: reason, violations and length of the sentence of each error.
"""

import json
import os

import grpc
from google.rpc import error_details_pb2, status_pb2
from orchestrator_client.v1 import flow_service_pb2, flow_service_pb2_grpc, run_service_pb2, run_service_pb2_grpc

CAT = "\u732b"


def error_of(call):
    """Makes a call that fails and reads what its trailers hold."""
    try:
        call()
    except grpc.RpcError as error:
        trailers = dict(error.trailing_metadata())
        status = status_pb2.Status.FromString(trailers.get("grpc-status-details-bin", b""))
        info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        for detail in status.details:
            detail.Unpack(info)
            detail.Unpack(bad)
        return {
            "code": error.code().name,
            "reason": info.reason,
            "violations": len(bad.field_violations),
            "same": status.message == error.details(),
        }
    raise AssertionError("an error was expected")


def main():
    """Runs the check."""
    with grpc.insecure_channel(os.environ["ORCHESTRATOR_TEST_ADDR"]) as channel:
        runs = run_service_pb2_grpc.RunServiceStub(channel)
        flows = flow_service_pb2_grpc.FlowServiceStub(channel)
        source = "id: f\ntasks:\n" + "".join(f"  - {{id: {CAT * 30}{n}, type: {CAT * 60}}}\n" for n in range(200))
        requests = [
            lambda: flows.RegisterFlow(flow_service_pb2.RegisterFlowRequest(source=source), timeout=30),
            lambda: runs.ListRuns(run_service_pb2.ListRunsRequest(filter=f'"{CAT * 600}" == 1'), timeout=30),
            lambda: runs.GetRun(run_service_pb2.GetRunRequest(run_id=CAT * 100), timeout=30),
        ]
        print(json.dumps([error_of(request) for request in requests]))


main()
