import { type DescField, getOption, hasOption, type JsonObject, ScalarType, toJson } from "@bufbuild/protobuf";
import { FieldRulesSchema, field as fieldRules } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { describe, expect, test } from "vitest";
import { SIGNAL_NAME_PATTERN } from "../../src/base/process/signal-name.ts";
import { MESSAGES, METHODS, REQUEST_MESSAGES } from "./descriptors.ts";

const FIELDS = MESSAGES.flatMap((message) => message.fields);
const nameOf = (field: DescField): string => `${field.parent.typeName}.${field.name}`;

test("no request names a tenant, at any depth", () => {
  const tenants = REQUEST_MESSAGES.flatMap((message) => message.fields).filter(({ name }) => /tenant/.test(name));
  expect(tenants.map(nameOf)).toEqual([]);
  expect(
    FIELDS.some(({ name }) => name === "tenant_id"),
    "answers do name it",
  ).toBe(true);
});

test("fields that recur have one type", () => {
  const types = {
    flow_id: ScalarType.STRING,
    version: ScalarType.STRING,
    run_id: ScalarType.STRING,
    task_id: ScalarType.STRING,
    request_id: ScalarType.STRING,
    tenant_id: ScalarType.STRING,
    cursor: ScalarType.STRING,
    filter: ScalarType.STRING,
    page_size: ScalarType.INT32,
    page_token: ScalarType.STRING,
    next_page_token: ScalarType.STRING,
    sequence: ScalarType.INT32,
    attempt: ScalarType.INT32,
  };
  for (const [name, type] of Object.entries(types)) {
    const fields = FIELDS.filter((field) => field.name === name);
    expect(fields.length, name).toBeGreaterThan(0);
    expect(fields.filter((field) => field.scalar !== type).map(nameOf)).toEqual([]);
  }
});

// Cause: waits had three defaults, and request ids two lengths.
test("fields that recur in requests have one rule", () => {
  const fields = REQUEST_MESSAGES.flatMap((message) => message.fields);
  for (const name of ["request_id", "wait", "filter", "page_token"]) {
    // Each start of a batch has the id of the batch and its own index.
    const isOther = (field: DescField): boolean => nameOf(field) === "orchestrator.v1.BatchStartRunsRequest.request_id";
    const recurring = fields.filter((field) => field.name === name && !isOther(field));
    const rules = recurring.map((field) => {
      const { required: _, ...rule } = toJson(FieldRulesSchema, getOption(field, fieldRules)) as JsonObject;
      return JSON.stringify(rule);
    });
    expect(recurring.length, name).toBeGreaterThan(2);
    expect([...new Set(rules)], name).toHaveLength(1);
  }
});

test("scalars are of the few kinds that every language and JSON can say", () => {
  const allowed = [
    ScalarType.STRING,
    ScalarType.BOOL,
    ScalarType.BYTES,
    ScalarType.INT32,
    ScalarType.INT64,
    ScalarType.DOUBLE,
  ];
  expect(FIELDS.filter(({ scalar }) => scalar !== undefined && !allowed.includes(scalar)).map(nameOf)).toEqual([]);
  const wide = FIELDS.filter(({ scalar }) => scalar === ScalarType.INT64).filter(
    ({ name }) => !/(_bytes|_micros|_tokens|(^|_)count)$/.test(name),
  );
  expect(wide.map(nameOf), "int64 is for bytes, money, tokens, and totals").toEqual([]);
});

test("times end in _time, bytes of JSON in _json", () => {
  const times = FIELDS.filter(({ message }) => message?.typeName === "google.protobuf.Timestamp");
  expect(times.filter(({ name }) => !name.endsWith("_time")).map(nameOf)).toEqual([]);
  const bytes = FIELDS.filter(({ scalar }) => scalar === ScalarType.BYTES);
  // What others sent, as they sent it.
  const isForeign = ({ parent }: (typeof bytes)[number]): boolean =>
    parent.name === "RejectedMessage" || parent.name === "MessageHeader";
  const others = bytes.filter((field) => !isForeign(field) && field.name !== "chunk" && field.name !== "body");
  expect(others.filter(({ name }) => !name.endsWith("_json")).map(nameOf)).toEqual([]);
});

test("a payload is a oneof of a readable form, JSON text and a reference", () => {
  // What a dry run takes is kept nowhere, so that nothing refers to it.
  const payloads = MESSAGES.filter(({ name }) => name !== "DryRunFlowRequest")
    .flatMap((message) => message.oneofs)
    .filter(({ name }) => name.endsWith("_value"));
  expect(payloads.length).toBeGreaterThan(5);
  for (const { name, fields } of payloads) {
    const base = name.replace(/_value$/, "");
    // Those are small, so that nothing refers to them.
    const isSmall = ["variables_value", "details_value", "context_value"].includes(name);
    const forms = isSmall ? [base, `${base}_json`] : [base, `${base}_json`, `${base}_ref`];
    expect(fields.map((field) => field.name)).toEqual(forms);
  }
  const alone = FIELDS.filter(
    ({ message, oneof }) => message?.typeName === "orchestrator.v1.PayloadRef" && oneof === undefined,
  );
  expect(alone.map(nameOf)).toEqual([]);
});

describe.each(METHODS.filter(([, method]) => method.name.startsWith("List")))("%s", (_name, method) => {
  test("is paged", () => {
    const inputs = method.input.fields.map(({ name }) => name);
    expect(inputs).toEqual(expect.arrayContaining(["page_size", "page_token"]));
    const [items, token] = method.output.fields;
    expect(items?.fieldKind).toBe("list");
    expect(items?.number).toBe(1);
    expect(token?.name).toBe("next_page_token");
    expect(token?.number).toBe(2);
  });
});

/** Whether the rules of a field bound the size of what it may hold. */
function isBounded(field: DescField): boolean {
  if (!hasOption(field, fieldRules)) return false;
  const { type } = getOption(field, fieldRules);
  switch (type.case) {
    case "string":
      return type.value.maxLen > 0n || type.value.maxBytes > 0n || /(\{\d+,?\d*\}\$|\)\?\$)$/.test(type.value.pattern);
    case "bytes":
      return type.value.maxLen > 0n;
    case "repeated":
      return type.value.maxItems > 0n;
    case "map":
      return type.value.maxPairs > 0n;
    case "duration":
      return type.value.lessThan.case !== undefined;
    default:
      return type.case === "int32" || type.case === "int64" || type.case === "double" || type.case === "enum";
  }
}

test("every field of a request that can grow has a limit", () => {
  const growing = REQUEST_MESSAGES.flatMap((message) => message.fields).filter(
    ({ fieldKind, scalar, message, name }) =>
      !/^(size_bytes)$/.test(name) &&
      (fieldKind === "list" ||
        fieldKind === "map" ||
        fieldKind === "enum" ||
        message?.typeName === "google.protobuf.Duration" ||
        (scalar !== undefined && scalar !== ScalarType.BOOL)),
  );
  expect(growing.length).toBeGreaterThan(80);
  expect(growing.filter((field) => !isBounded(field)).map(nameOf)).toEqual([]);
});

test("flows wait for no signal that callers cannot send", () => {
  const fields = REQUEST_MESSAGES.flatMap((message) => message.fields).filter(({ name }) => name === "signal_name");
  expect(fields.length).toBeGreaterThan(1);
  for (const field of fields) {
    const { type } = getOption(field, fieldRules);
    expect(type.case === "string" ? type.value.pattern : "", nameOf(field)).toBe(SIGNAL_NAME_PATTERN.source);
  }
});
