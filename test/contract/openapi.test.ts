import { readFileSync } from "node:fs";
import { getOption } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { http } from "../../src/gen/google/api/annotations_pb.ts";
import { METHODS, ROOT } from "./descriptors.ts";

const document = parse(readFileSync(`${ROOT}contracts/openapi.yaml`, "utf8"));

interface Found {
  readonly route: string;
  readonly operation: {
    readonly operationId: string;
    readonly summary: string;
    readonly parameters?: { name: string; in: string; description?: string; schema: Record<string, unknown> }[];
    readonly responses: Record<string, { content: Record<string, unknown> }>;
  };
}

const operations: Found[] = Object.entries(
  document.paths as Record<string, Record<string, Found["operation"]>>,
).flatMap(([path, methods]) =>
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
  expect(streams.map(({ route }) => route).sort()).toEqual(["get /v1/runs/{run_id}:watch", "get /v1/runs:watch"]);
  const watch = streams.find(({ route }) => route.includes("run_id"));
  expect(
    watch?.operation.parameters?.some(({ name, in: place }) => name === "Last-Event-ID" && place === "header"),
  ).toBe(true);
});

test("errors are google.rpc.Status", () => {
  const others = operations.filter(
    ({ operation }) => !JSON.stringify(operation.responses.default).includes("#/components/schemas/google.rpc.Status"),
  );
  expect(others).toEqual([]);
});

test("limits of the contract are limits of the document", () => {
  const start = document.paths["/v1/runs"].post.requestBody.content["application/json"].schema;
  expect(start.required).toEqual(["flowId"]);
  expect(start.properties.flowId).toMatchObject({ minLength: 1, maxLength: 128 });
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
