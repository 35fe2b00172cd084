import { readFileSync } from "node:fs";
import {
  type DescField,
  type DescMessage,
  type DescMethod,
  getOption,
  hasOption,
  ScalarType,
} from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { GRPC_CODE } from "../../src/base/error-catalog/entry.ts";
import { ERRORS } from "../../src/base/error-catalog.ts";
import { http } from "../../src/gen/google/api/annotations_pb.ts";
import type { HttpRule } from "../../src/gen/google/api/http_pb.ts";
import { CostClass, Idempotency, policy } from "../../src/gen/orchestrator/options/v1/options_pb.ts";
import { CONTRACT_FILES, METHODS, ROOT } from "./descriptors.ts";

const rulesOf = (method: DescMethod): HttpRule[] => {
  const rule = getOption(method, http);
  return [rule, ...rule.additionalBindings];
};
const pathOf = (rule: HttpRule): string => (typeof rule.pattern.value === "string" ? rule.pattern.value : "");
const textField = (message: DescMessage, name: string) =>
  message.fields.find((field) => field.name === name && field.scalar === ScalarType.STRING);
/** Reads that are asked with more than a URL can hold. */
const LARGE_QUESTIONS: ReadonlySet<string> = new Set(["DryRunFlow"]);

const isReadOnly = (method: DescMethod): boolean => getOption(method, policy).idempotency === Idempotency.READ_ONLY;

test("the contract has methods", () => {
  expect(METHODS.length).toBeGreaterThan(25);
});

test("the number of our option lies in the range that is ours", () => {
  expect(policy.number).toBeGreaterThanOrEqual(400_000_000);
  expect(policy.number).toBeLessThan(500_000_000);
});

describe.each(METHODS)("%s", (_name, method) => {
  test("carries a whole policy", () => {
    expect(hasOption(method, policy)).toBe(true);
    const { scopes, anonymous, idempotency, costClass } = getOption(method, policy);
    expect(idempotency).not.toBe(Idempotency.UNSPECIFIED);
    expect(costClass).not.toBe(CostClass.UNSPECIFIED);
    expect(scopes.length > 0, "scopes or anonymous, not both and not neither").toBe(!anonymous);
    for (const scope of scopes) expect(scope).toMatch(/^[a-z]+\.[a-z]+$/);
    // The URL of a callback is the credential, and so is the signature of a webhook.
    const isSigned = method.parent.name === "CallbackService" || method.name === "ReceiveEvent";
    if (anonymous && !isSigned) expect(costClass).toBe(CostClass.PROBE);
    expect(costClass === CostClass.STREAM).toBe(method.methodKind === "server_streaming");
  });

  test("says which instance handles its calls, by fields that it has", () => {
    const { to } = getOption(method, policy).routing ?? { to: { case: undefined } };
    expect(to.case, "routing").toBeDefined();
    if (to.case === "anyInstance") expect(to.value).toBe(true);
    if (to.case === "ownerOf") expect(textField(method.input, to.value)).toBeDefined();
    if (to.case === "batch") {
      const { items, ownerOf, results } = to.value;
      const batch = method.input.fields.find(({ name }) => name === items);
      expect(batch?.fieldKind).toBe("list");
      if (batch?.message !== undefined) expect(textField(batch.message, ownerOf)).toBeDefined();
      expect(method.output.fields.find(({ name }) => name === results)?.fieldKind).toBe("list");
    }
    // A stream goes on where it began: it reads the database, and is told of the rest by the other instances.
    if (method.methodKind === "server_streaming") expect(to.case).toBe("anyInstance");
    // What changes a run is decided by its owner.
    const changesRun = !isReadOnly(method) && textField(method.input, "run_id") !== undefined;
    if (changesRun) expect(to).toMatchObject({ case: "ownerOf", value: "run_id" });
  });

  test("checks items one by one where it answers each", () => {
    const { checkedItems } = getOption(method, policy);
    const lists = (fields: readonly DescField[]) =>
      fields.filter((field) => field.fieldKind === "list" && field.listKind === "message");
    const answersEach = lists(method.output.fields).length === 1 && lists(method.input.fields).length === 1;
    expect(checkedItems).toBe(answersEach ? lists(method.input.fields)[0]?.name : "");
  });

  test("is unary or streams from the server", () => {
    expect(["unary", "server_streaming"]).toContain(method.methodKind);
  });

  test("is routed under /v1, reads by GET and deletes by DELETE, without a body", () => {
    expect(hasOption(method, http)).toBe(true);
    for (const rule of rulesOf(method)) {
      const verb =
        isReadOnly(method) && !LARGE_QUESTIONS.has(method.name)
          ? "get"
          : method.name.startsWith("Delete")
            ? "delete"
            : "post";
      expect(rule.pattern.case).toBe(verb);
      const field = method.input.fields.find(({ name }) => name === rule.body);
      // A body of any JSON, or of any bytes, is one field.
      const isWhole = field?.message?.typeName === "google.protobuf.Value" || field?.scalar === ScalarType.BYTES;
      const body = isWhole ? field?.name : "*";
      expect(rule.body).toBe(verb === "post" ? body : "");
      expect(pathOf(rule)).toMatch(/^\/v1\/[a-z]+[a-zA-Z_/{}]*(:[a-zA-Z]+)?$/);
      for (const [, name] of pathOf(rule).matchAll(/\{(\w+)\}/g)) {
        expect(method.input.fields.find((field) => field.name === name)?.scalar, `variable ${name}`).toBeDefined();
      }
    }
  });

  test("tells Connect whether it has side effects", () => {
    const level = method.proto.options?.idempotencyLevel;
    expect(level === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS).toBe(isReadOnly(method));
  });

  test("takes a request_id when it changes something, and none when it reads", () => {
    const field = method.input.fields.find(({ name }) => name === "request_id");
    // The calls of workers and callbacks carry the tokens of their tasks, and a session is nothing that lasts.
    const isWorkers =
      ["WorkerService", "CallbackService"].includes(method.parent.name) && method.name !== "DrainWorker";
    // Events have ids of their own.
    const hasOwnId = isWorkers || method.name === "ReceiveEvent";
    expect(field !== undefined).toBe(!isReadOnly(method) && !hasOwnId);
  });

  test("is named with a noun and has a request and a response of its own", () => {
    const name =
      method.parent.typeName === "orchestrator.health.v1.HealthService" ? `Health${method.name}` : method.name;
    expect(method.input.name).toBe(`${name}Request`);
    expect(method.output.name).toBe(`${name}Response`);
    if (name === method.name) expect(method.name).toMatch(/^[A-Z][a-z]+([A-Z][a-z]+)+$/);
  });
});

test("no two methods share a route", () => {
  const routes = METHODS.flatMap(([, method]) =>
    rulesOf(method).map((rule) => `${rule.pattern.case} ${pathOf(rule).replace(/\{\w+\}/g, "{}")}`),
  );
  expect(routes.filter((route, index) => routes.indexOf(route) !== index)).toEqual([]);
});

test("every error code that a comment promises is in the catalogue", () => {
  const known = new Set([...Object.keys(ERRORS), ...Object.keys(GRPC_CODE)]);
  const promised = CONTRACT_FILES.flatMap((file) => {
    const text = readFileSync(`${ROOT}contracts/${file}`, "utf8").replace(/\n *\/\/ ?/g, " ");
    return [...text.matchAll(/Errors(?: of [^:]*)?:([^.]*)/g)].flatMap(
      ([, list]) => list?.match(/\b[A-Z]+(_[A-Z]+)+\b/g) ?? [],
    );
  });
  expect(promised.length).toBeGreaterThan(30);
  expect([...new Set(promised)].filter((code) => !known.has(code))).toEqual([]);
});
