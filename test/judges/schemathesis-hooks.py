"""What schemathesis does beyond its own checks: ids that exist, and the check of refusals."""

import os
import re

import schemathesis
import yaml

RUNS = os.environ["ORCHESTRATOR_TEST_RUNS"].split(",")
FLOW = os.environ["ORCHESTRATOR_TEST_FLOW"]

with open(os.environ["ORCHESTRATOR_TEST_OPENAPI"], encoding="utf-8") as document:
    SHARED = yaml.safe_load(document)["components"]["responses"]

# The document allows 50 s, which nobody here has.
SHORT_WAIT = "0.01s"
# Rules between fields that the schema of a message cannot say: an operation takes a list of runs or a filter.
UNSAID = {
    "/v1/operations": ["set either run_ids or filter"],
    "/api/v1/workflows": ["name a template", "names a template or brings a workflow", "workflow."],
}
MINTED_ID = re.compile(r"[0-9a-z]{26}$")


def is_picked(value):
    """Every other value, the same ones in every run."""
    return isinstance(value, str) and len(value) % 2 == 0


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    if path_parameters is None:
        return path_parameters
    if is_picked(path_parameters.get("run_id")):
        path_parameters["run_id"] = RUNS[len(path_parameters["run_id"]) % len(RUNS)]
    if is_picked(path_parameters.get("flow_id")):
        path_parameters["flow_id"] = FLOW
    return path_parameters


@schemathesis.hook
def map_query(context, query):
    if isinstance(query, dict) and "wait" in query:
        query["wait"] = SHORT_WAIT
    return query


@schemathesis.hook
def map_body(context, body):
    if not isinstance(body, dict):
        return body
    body = dict(body)
    if "wait" in body:
        body["wait"] = SHORT_WAIT
    # Schemathesis sends ids again that it has seen in answers; the service refuses a chosen id in the form of its own.
    if isinstance(body.get("runId"), str) and MINTED_ID.match(body["runId"]):
        body["runId"] = ""
    if context.operation.path == "/v1/runs" and is_picked(body.get("flowId")):
        body = {name: value for name, value in body.items() if name not in ("inputJson", "inputRef", "version")}
        body.update(flowId=FLOW, input={"count": 1})
    return body


def read_refusal(body):
    """Reason and message of an error, in either of its forms."""
    error = body.get("error")
    if isinstance(error, dict):
        return error["code"], error["message"]
    details = body.get("details", [])
    return next((one["reason"] for one in details if "reason" in one), "none"), body.get("message", "")


@schemathesis.check
def documented_refusal(ctx, response, case):
    """What the schema accepts is refused only for a reason that the operation names; a malformed request is none."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if response.status_code not in (400, 413, 415):
        return
    reason, message = read_refusal(response.json())
    if any(text in message for text in UNSAID.get(case.operation.path, [])):
        return
    shared = SHARED.get(f"Error{response.status_code}", {})
    documented = case.operation.definition.raw.get("x-reasons", []) + shared.get("x-reasons", [])
    if reason not in documented or reason in ("INVALID_REQUEST", "REQUEST_MALFORMED"):
        raise AssertionError(f"refused as {reason}, though the document accepts it: {message}")
