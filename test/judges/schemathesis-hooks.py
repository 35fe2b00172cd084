"""What schemathesis does beyond its own checks: ids that exist, and the check of refusals."""

import os
import re

import jsonschema_rs
import schemathesis
import yaml
from schemathesis.core import NotSet

RUNS = os.environ["ORCHESTRATOR_TEST_RUNS"].split(",")
FLOW = os.environ["ORCHESTRATOR_TEST_FLOW"]

with open(os.environ["ORCHESTRATOR_TEST_OPENAPI"], encoding="utf-8") as document:
    COMPONENTS = yaml.safe_load(document)["components"]
SHARED = COMPONENTS["responses"]

# The document allows 50 s, which nobody here has.
SHORT_WAIT = "0.01s"
WAITS = ("wait", "maxWait")
# Refusals that no schema can say, by path.
UNSAID = {
    # A schema knows no clock.
    "/v1/limits/{name}:pause": ["until_time: must be in the future"],
    # An optional enum may be present and unspecified, and a schema knows no clock.
    "/v1/toolOverrides:put": ["breaker: must be OPEN or CLOSED", "expire_time: must be in the future"],
    # A schema does not say which URLs and paths are plain.
    "/v1/services/{name}:put": ["entry.url: ", "entry.health_path: "],
    # Flows have a schema of their own, and rules beyond any schema.
    "/api/v1/workflows": ["workflow."],
}
MINTED_ID = re.compile(r"[0-9a-z]{26}$")


def is_picked(value):
    """Every other value, the same ones in every run."""
    return isinstance(value, str) and len(value) % 2 == 0


def shorten_waits(values):
    """Waits that are right are short; those that are wrong stay as they are."""
    if isinstance(values, dict):
        for name in WAITS:
            text = str(values.get(name, ""))
            if re.fullmatch("[0-9]+(\\.[0-9]+)?s", text) and float(text[:-1]) <= 50:
                values[name] = SHORT_WAIT
    return values


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """A list that is one report too long takes minutes to make; readable is what the document itself accepts."""
    operation = raw_schema["paths"]["/v1/workers/{session_id}:report"]["post"]
    body = operation["requestBody"]["content"]["application/json"]["schema"]
    body["properties"]["reports"]["maxItems"] = 3


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
    return shorten_waits(query)


@schemathesis.hook
def map_body(context, body):
    if not isinstance(body, dict):
        return body
    body = shorten_waits(dict(body))
    # Schemathesis sends ids again that it has seen in answers; the service refuses a chosen id in the form of its own.
    if isinstance(body.get("runId"), str) and MINTED_ID.match(body["runId"]):
        body["runId"] = ""
    if context.operation.path == "/v1/runs" and is_picked(body.get("flowId")):
        body = {name: value for name, value in body.items() if name not in ("inputJson", "inputRef", "version")}
        body.update(flowId=FLOW, input={"count": 1})
    return body


def read_refusal(body):
    """Reason and message of an error, in any of its forms."""
    problems = body.get("detail")
    if isinstance(problems, list):
        return "INVALID_REQUEST", "; ".join(f"{one['loc']}: {one['msg']}" for one in problems)
    error = body.get("error")
    if isinstance(error, dict):
        return error.get("details", {}).get("reason", error["code"]), error["message"]
    details = body.get("details", [])
    return next((one["reason"] for one in details if "reason" in one), "none"), body.get("message", "")


@schemathesis.check
def documented_refusal(ctx, response, case):
    """What the schema accepts is refused only for a reason that the operation names; a malformed request is none."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if response.status_code not in (400, 413, 415, 422):
        return
    reason, message = read_refusal(response.json())
    if any(text in message for text in UNSAID.get(case.operation.path, [])):
        return
    shared = SHARED.get(f"Error{response.status_code}", {})
    documented = case.operation.definition.raw.get("x-reasons", []) + shared.get("x-reasons", [])
    if reason not in documented or reason in ("INVALID_REQUEST", "REQUEST_MALFORMED"):
        raise AssertionError(f"refused as {reason}, though the document accepts it: {message}")


# What a request is told that cannot be read, or that breaks a rule of its fields.
MALFORMED = {
    "INVALID_JSON",
    "INVALID_REQUEST",
    "PROTOCOL_UNSUPPORTED",
    "REQUEST_MALFORMED",
    "ROUTE_NOT_FOUND",
    "HTTP_METHOD_NOT_ALLOWED",
    "HTTP_METHOD_UNKNOWN",
}


def to_proto_json(schema):
    """The schema with what proto JSON reads besides: numbers of enums, integers as text and the other way round."""
    if isinstance(schema, list):
        return [to_proto_json(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    wider = {name: to_proto_json(value) for name, value in schema.items()}
    if schema.get("type") == "string" and ("enum" in schema or schema.get("pattern", "").startswith(("^-?(0|", "^(0|"))):
        return {"anyOf": [wider, {"type": "integer"}]}
    if schema.get("type") == "integer":
        return {"anyOf": [wider, {"type": "string", "pattern": "^-?[0-9]+$"}]}
    return wider


SCHEMAS = to_proto_json(COMPONENTS["schemas"])


def without_nulls(value):
    """Null is an absent field."""
    if isinstance(value, dict):
        return {name: without_nulls(one) for name, one in value.items() if one is not None}
    return [without_nulls(one) for one in value] if isinstance(value, list) else value


def fits(value, schema):
    root = {**to_proto_json(schema), "components": {"schemas": SCHEMAS}}
    return jsonschema_rs.is_valid(root, value)


def text_fits(value, schema):
    """Whether a parameter can be read from its text."""
    if schema.get("type") == "array":
        values = value if isinstance(value, list) else [value]
        return all(text_fits(one, schema.get("items", {})) for one in values)
    if schema.get("type") == "boolean":
        return str(value).lower() in ("true", "false")
    text = str(value)
    return fits(text, schema) or (re.fullmatch("-?[0-9]+", text) is not None and fits(int(text), schema))


def is_readable(case):
    """Whether the request means something after all: the document shows one form of what can be read."""
    operation = case.operation.definition.raw
    places = {"path": case.path_parameters, "query": case.query, "header": case.headers}
    for parameter in operation.get("parameters", []):
        name, schema, values = parameter["name"], parameter["schema"], places[parameter["in"]] or {}
        if name not in values or values[name] is None:
            if parameter.get("required"):
                return False
            continue
        if not text_fits(values[name], schema):
            return False
    body = operation.get("requestBody")
    if body is None:
        return True
    # A request without a body is one without fields.
    fields = {} if isinstance(case.body, NotSet) else case.body
    return fits(without_nulls(fields), body["content"]["application/json"]["schema"])


@schemathesis.check
def malformed_refusal(ctx, response, case):
    """What the schema refuses is refused for that, and not found out later, by whatever else is wrong with it."""
    if case.meta is None or case.meta.generation.mode.is_positive or response.status_code >= 500:
        return
    if case.method.upper() != case.operation.method.upper():
        return
    reason = "accepted" if response.status_code < 400 else read_refusal(response.json())[0]
    if reason not in MALFORMED and not is_readable(case):
        raise AssertionError(f"malformed, and yet {reason}")
