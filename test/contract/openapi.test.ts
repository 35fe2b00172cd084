import { readFileSync } from "node:fs";
import { getOption } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { createGoalRoutes } from "../../src/api/legacy/goals/routes.ts";
import { createRoutingRoutes } from "../../src/api/legacy/routing/routes.ts";
import { createWorkflowRoutes } from "../../src/api/legacy/workflows/routes.ts";
import { ERRORS } from "../../src/base/error-catalog.ts";
import { type ErrorCode, toError } from "../../src/base/errors.ts";
import { http } from "../../src/gen/google/api/annotations_pb.ts";
import { METHODS, ROOT } from "./descriptors.ts";

const document = parse(readFileSync(`${ROOT}contracts/openapi.yaml`, "utf8"));

interface Found {
  readonly route: string;
  readonly operation: {
    readonly operationId: string;
    readonly summary: string;
    readonly parameters?: { name: string; in: string; description?: string; schema: Record<string, unknown> }[];
    readonly "x-reasons"?: readonly string[];
    readonly responses: Record<string, { content: Record<string, unknown> }>;
  };
}

const operations: Found[] = Object.entries(document.paths as Record<string, Record<string, Found["operation"]>>)
  // Routes of merged systems have their own forms.
  .filter(([path]) => path.startsWith("/v1/"))
  .flatMap(([path, methods]) =>
    Object.entries(methods).map(([verb, operation]) => ({ route: `${verb} ${path}`, operation })),
  );

test("describes every route of the contract and no other", () => {
  const routes = METHODS.flatMap(([, method]) => {
    const rule = getOption(method, http);
    return [rule, ...rule.additionalBindings].map(({ pattern }) => `${pattern.case} ${pattern.value}`);
  });
  expect(operations.map(({ route }) => route).sort()).toEqual(routes.sort());
});

test("every operation and parameter says what it does", () => {
  expect(operations.filter(({ operation }) => operation.summary === "").map(({ route }) => route)).toEqual([]);
  const silent = operations.flatMap(({ operation }) =>
    (operation.parameters ?? []).filter(({ description }) => !description),
  );
  expect(silent).toEqual([]);
});

test("streams are event streams that can be resumed", () => {
  const streams = operations.filter(
    ({ operation }) => "text/event-stream" in (operation.responses["200"]?.content ?? {}),
  );
  expect(streams.map(({ route }) => route).sort()).toEqual([
    // These two begin again with what they are.
    "get /v1/generations/{generation_id}:watch",
    "get /v1/goals/{goal_id}:watch",
    "get /v1/runs/{run_id}:watch",
    "get /v1/runs:watch",
    // Hands out tasks from where the session is.
    "post /v1/workers/{session_id}:poll",
  ]);
  const watch = streams.find(({ route }) => route.includes("run_id"));
  expect(
    watch?.operation.parameters?.some(({ name, in: place }) => name === "Last-Event-ID" && place === "header"),
  ).toBe(true);
});

test("errors are shared responses of google.rpc.Status, and reasons stand there or in the operation", () => {
  const shared = document.components.responses as Record<string, { "x-reasons"?: string[] }>;
  for (const { route, operation } of operations) {
    const errors = Object.entries(operation.responses).filter(([status]) => status !== "200");
    expect(errors.length, route).toBeGreaterThan(5);
    const reasons = new Set(operation["x-reasons"] ?? []);
    for (const [status, response] of errors) {
      expect(response, `${route} ${status}`).toEqual({ $ref: `#/components/responses/Error${status}` });
      const entry = shared[`Error${status}`];
      expect(JSON.stringify(entry)).toContain("#/components/schemas/google.rpc.Status");
      const own = [...reasons].filter((code) => String(ERRORS[code as ErrorCode].http) === status);
      expect([...(entry?.["x-reasons"] ?? []), ...own], `${route} ${status}`).not.toEqual([]);
    }
  }
});

test("a request shows durations, masks, oneofs, and that other fields are refused", () => {
  const start = document.paths["/v1/runs"].post.requestBody.content["application/json"].schema;
  const wait = new RegExp(start.properties.wait.pattern);
  for (const text of ["0s", "0.5s", "9s", "49.999999999s", "50s"]) expect(wait.test(text), text).toBe(true);
  for (const text of ["", "-1s", "50.1s", "51s", "100s", "05s", "1", "1m"]) expect(wait.test(text), text).toBe(false);
  const timeout = new RegExp(start.properties.runTimeout.pattern);
  for (const text of ["0.1s", "1s", "315359999.5s", "315360000s"]) expect(timeout.test(text), text).toBe(true);
  for (const text of ["0s", "0.0s", "315360001s", "999999999s"]) expect(timeout.test(text), text).toBe(false);
  // Cause: the service answers with three digits, "0.860s", which the document refused.
  for (const text of ["0.860s", "0.1s", "0.000000001s", "0.100000000s"]) expect(timeout.test(text), text).toBe(true);
  for (const text of ["0s", "0.000s", "0.0000000001s", "0.8600000000s"]) expect(timeout.test(text), text).toBe(false);
  const mask = new RegExp(start.properties.readMask.pattern);
  expect([mask.test("runId,state"), mask.test(""), mask.test("nothing")]).toEqual([true, true, false]);
  expect(start.additionalProperties).toBe(false);
  expect(JSON.stringify(start.allOf)).toContain('"required":["inputJson"]');
});

test("limits of the contract are limits of the document", () => {
  const start = document.paths["/v1/runs"].post.requestBody.content["application/json"].schema;
  expect(start.required).toEqual(["flowId"]);
  expect(start.properties.flowId).toMatchObject({ minLength: 1, maxLength: 64 });
  expect(start.properties.labels.maxProperties).toBe(32);
  expect(start.properties.requestId.pattern).toBe("^[!-~]{0,128}$");
  const list = operations.find(({ route }) => route === "get /v1/runs")?.operation.parameters;
  expect(list?.find(({ name }) => name === "pageSize")?.schema.minimum).toBe(0);
});

test("every reference of the document leads somewhere", () => {
  const references = new Set(
    [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)].map(([, name]) => name),
  );
  expect(references.size).toBeGreaterThan(20);
  expect([...references].filter((name) => name === undefined || !(name in document.components.schemas))).toEqual([]);
});

test("routes of merged systems are described, with their own errors", () => {
  const families = [createWorkflowRoutes({} as never), createRoutingRoutes({} as never), createGoalRoutes({} as never)];
  const own = Object.entries(document.paths as Record<string, Record<string, { responses: object }>>).filter(
    ([path]) => !path.startsWith("/v1/"),
  );
  expect(own.length).toBeGreaterThan(5);
  for (const [path, methods] of own) {
    const place = path.replaceAll(/[{}]/g, "");
    const family = families.find(({ allow }) => allow(place).length > 0);
    if (family === undefined) throw new Error(`nobody serves ${path}`);
    const verbs = family.allow(place).filter((verb) => verb !== "HEAD");
    expect(
      Object.keys(methods)
        .map((verb) => verb.toUpperCase())
        .sort(),
      path,
    ).toEqual(verbs.toSorted());
    for (const { responses } of Object.values(methods))
      expect(Object.keys(responses)).toContain(
        String(family.printError(toError("RUN_NOT_FOUND", { runId: "x" })).status),
      );
  }
});
