import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import type { ServedMethod } from "../../../../src/api/calls/methods.ts";
import { readRestRequest } from "../../../../src/api/rest/request.ts";
import { createRestRouter } from "../../../../src/api/rest/routes.ts";
import { isOrchestratorError } from "../../../../src/base/errors.ts";
import {
  GetRunRequestSchema,
  ListRunsRequestSchema,
  StartRunRequestSchema,
} from "../../../../src/gen/orchestrator/v1/run_service_pb.ts";
import { SERVICES } from "../support/services.ts";

const methods = SERVICES.flatMap((service) =>
  service.methods.map(
    (desc): ServedMethod =>
      ({ desc, path: `/${service.typeName}/${desc.name}`, service: service.typeName }) as ServedMethod,
  ),
);
const router = createRestRouter(methods);

function find(verb: string, path: string): string {
  const found = router.find(verb, path);
  return "route" in found ? `${found.route.method.desc.name} ${JSON.stringify(found.values)}` : found.join(",");
}

test("every method of the contract but the foreign ones has a route", () => {
  const routed = new Set(router.routes.map((route) => route.method.path));
  const missing = methods.filter((method) => !routed.has(method.path) && !method.path.startsWith("/grpc."));
  expect(missing.map((method) => method.path)).toEqual([]);
});

test.each([
  ["POST", "/v1/runs", "StartRun {}"],
  ["GET", "/v1/runs", "ListRuns {}"],
  ["GET", "/v1/runs:count", "CountRuns {}"],
  ["POST", "/v1/runs:batchStart", "BatchStartRuns {}"],
  ["GET", "/v1/runs/abc", 'GetRun {"run_id":"abc"}'],
  ["POST", "/v1/runs/abc:cancel", 'CancelRun {"run_id":"abc"}'],
  ["GET", "/v1/runs/abc:watch", 'WatchRun {"run_id":"abc"}'],
  // Ids of child runs hold colons.
  ["GET", "/v1/runs/abc:fetch", 'GetRun {"run_id":"abc:fetch"}'],
  ["POST", "/v1/runs/abc:fetch:cancel", 'CancelRun {"run_id":"abc:fetch"}'],
  // A verb of the contract was taken for a part of the id when the HTTP method was another.
  ["GET", "/v1/runs/abc:cancel", "POST"],
  ["GET", "/v1/runs/abc%3Acancel", 'GetRun {"run_id":"abc:cancel"}'],
  ["GET", "/v1/runs/abc%3Awatch", 'GetRun {"run_id":"abc:watch"}'],
  ["GET", "/v1/runs/a%2Fb", 'GetRun {"run_id":"a/b"}'],
  ["GET", "/v1/runs/a/tasks/load.0", 'GetRunTask {"run_id":"a","task_id":"load.0"}'],
  ["POST", "/v1/runs/a/approvals/5:decide", 'DecideApproval {"run_id":"a","approval_id":"5"}'],
  ["GET", "/v1/flows/f", 'GetFlow {"flow_id":"f"}'],
  ["GET", "/v1/flows/f/versions/1.2", 'GetFlow {"flow_id":"f","version":"1.2"}'],
  ["GET", "/v1/flows/f/versions", 'ListFlowVersions {"flow_id":"f"}'],
  ["DELETE", "/v1/runs/abc", 'DeleteRun {"run_id":"abc"}'],
  ["PUT", "/v1/runs/abc", "GET,DELETE"],
  ["GET", "/v1/runs/", ""],
  ["GET", "/v1/nothing", ""],
  ["GET", "/v1/runs/%zz", ""],
])("%s %s → %s", (verb, path, expected) => {
  expect(find(verb, path)).toBe(expected);
});

function read(verb: string, path: string, query = "", body = ""): unknown {
  const match = router.find(verb, path);
  if (!("route" in match)) throw new Error(`no route for ${path}`);
  return readRestRequest({
    match,
    query: new URLSearchParams(query),
    body: Buffer.from(body),
    maxBytes: 10_000,
    maxPayloadBytes: 10_000,
  });
}

test("path, query and body become one message", () => {
  expect(read("GET", "/v1/runs", "filter=state%3D%3D%22FAILED%22&pageSize=5&page_token=t")).toEqual(
    create(ListRunsRequestSchema, { filter: 'state=="FAILED"', pageSize: 5, pageToken: "t" }),
  );
  expect(read("GET", "/v1/runs/r", "read_mask=run_id,task_counts")).toEqual(
    create(GetRunRequestSchema, { runId: "r", readMask: { paths: ["run_id", "task_counts"] } }),
  );
  expect(read("GET", "/v1/runs/r", "readMask=runId")).toEqual(
    create(GetRunRequestSchema, { runId: "r", readMask: { paths: ["run_id"] } }),
  );
  const start = create(StartRunRequestSchema, {
    flowId: "f",
    inputValue: { case: "input", value: { a: [1] } },
    wait: { seconds: 2n },
  });
  expect(read("POST", "/v1/runs", "", '{"flowId":"f","input":{"a":[1]},"wait":"2s"}')).toEqual(start);
  expect(read("POST", "/v1/runs", "", '{"flow_id":"f","input":{"a":[1]},"wait":"2s"}')).toEqual(start);
});

test.each([
  ["GET", "/v1/runs", "nothing=1", "", "INVALID_REQUEST", "nothing"],
  ["GET", "/v1/runs", "pageSize=x", "", "INVALID_REQUEST", "page_size"],
  ["GET", "/v1/runs", "pageSize=1&pageSize=2", "", "INVALID_REQUEST", "more than once"],
  ["GET", "/v1/runs/r:watch", "includeEphemeral=yes", "", "INVALID_REQUEST", "true or false"],
  ["GET", "/v1/runs", "filter.x=1", "", "INVALID_REQUEST", "has no fields"],
  ["POST", "/v1/runs", "", '{"flowIdd":"f"}', "INVALID_REQUEST", "flowIdd"],
  ["POST", "/v1/runs", "", '{"flowId":1}', "INVALID_REQUEST", "flow_id"],
  ["POST", "/v1/runs", "", '{"runKeyPolicy":"NOPE"}', "INVALID_REQUEST", "run_key_policy"],
  ["POST", "/v1/runs", "", "[1]", "INVALID_JSON", "object"],
  ["POST", "/v1/runs", "", "{", "INVALID_JSON", "JSON"],
  ["POST", "/v1/runs", "", `{"input":{"a":${"[".repeat(90)}${"]".repeat(90)}}}`, "INVALID_JSON", "deep"],
  ["POST", "/v1/runs", "", `{"a":"${"x".repeat(11_000)}"}`, "PAYLOAD_TOO_LARGE", "10000"],
  // Paths of nested fields were cut to their last part; wrong types named no field at all.
  ["POST", "/v1/runs", "", '{"signals":[{"signalName":"a"},{"foo":1}]}', "INVALID_REQUEST", "signals[1].foo: "],
  ["POST", "/v1/runs", "", '{"wait":"abc"}', "INVALID_REQUEST", "wait: must be a duration in seconds as a string, for"],
  ["POST", "/v1/runs", "", '{"input":[1]}', "INVALID_REQUEST", "input: must be a JSON object; it is [1]"],
  ["POST", "/v1/runs", "", '{"labels":{"a":1}}', "INVALID_REQUEST", 'labels["a"]: must be a text; it is 1'],
  ["POST", "/v1/runs", "", '{"signals":7}', "INVALID_REQUEST", "signals: must be a list; it is 7"],
  ["POST", "/v1/runs", "", '{"inputJson":"%"}', "INVALID_REQUEST", "input_json: must be bytes as a base64 string"],
  ["POST", "/v1/runs", "", '{"input":{},"inputJson":"e30="}', "INVALID_REQUEST", "input_json: only one of input and"],
  ["POST", "/v1/runs:batchStart", "", '{"requests":[{"wait":1}]}', "INVALID_REQUEST", "requests[0].wait: must be"],
  ["POST", "/v1/runs", "x=1", "{}", "INVALID_REQUEST", "from the body"],
  ["POST", "/v1/runs/r:cancel", "", '{"runId":"other"}', "INVALID_REQUEST", "different"],
])("%s %s?%s with %s is %s", (verb, path, query, body, code, problem) => {
  expect(() => read(verb, path, query, body)).toThrow(problem);
  try {
    read(verb, path, query, body);
  } catch (error) {
    expect(isOrchestratorError(error) && error.code).toBe(code);
  }
});

test("keys of the body never reach a prototype", () => {
  expect(() => read("POST", "/v1/runs", "", '{"__proto__":{"flowId":"x"},"flowId":"f"}')).toThrow("__proto__");
  expect(({} as { flowId?: string }).flowId).toBeUndefined();
});
