"""Makes the calls that it reads as lines of JSON, {"method": "RunService/GetRun", "request": {…}}, with the generated
stubs, and prints the answer of each as a line: {"code": "OK", "answer": {…}}.

ORCHESTRATOR_TEST_ADDR: host and port of the service.
"""

import importlib
import json
import os
import re
import sys

import grpc
from google.protobuf import json_format


def call(channel, method, request):
    service, name = method.split("/")
    module = re.sub(r"(?<!^)(?=[A-Z])", "_", service).lower()
    stubs = importlib.import_module(f"orchestrator_client.v1.{module}_pb2_grpc")
    messages = importlib.import_module(f"orchestrator_client.v1.{module}_pb2")
    asked = json_format.ParseDict(request, getattr(messages, f"{name}Request")())
    try:
        answer = getattr(getattr(stubs, f"{service}Stub")(channel), name)(asked, timeout=40)
    except grpc.RpcError as error:
        return {"code": "".join(word.capitalize() for word in error.code().name.split("_"))}
    return {"code": "OK", "answer": json_format.MessageToDict(answer, preserving_proto_field_name=True)}


with grpc.insecure_channel(os.environ["ORCHESTRATOR_TEST_ADDR"]) as channel:
    for line in sys.stdin:
        order = json.loads(line)
        print(json.dumps(call(channel, order["method"], order["request"])), flush=True)
