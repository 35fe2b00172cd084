import { create, type DescField, getOption, hasOption, type Message } from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import { DurationSchema } from "@bufbuild/protobuf/wkt";
import { createValidator } from "@bufbuild/protovalidate";
import {
  type FieldRules,
  field as fieldRules,
  type Int32Rules,
  oneof as oneofRules,
} from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { describe, expect, test } from "vitest";
import { groupsOf } from "../../src/api/requests/field-groups.ts";
import { StartRunRequestSchema } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { REQUEST_MESSAGES } from "./descriptors.ts";

const validator = createValidator();

/** A change of a message that one rule must accept or refuse. */
interface Example {
  readonly title: string;
  readonly accepted: boolean;
  readonly change: (message: ReflectMessage) => void;
}

const lengthOf = (rule: bigint, text: string): string => text.repeat(Number(rule));

/** Examples at the limits that the rules of a field state: one on the good side, one past it. */
function toExamples(field: DescField, { type }: FieldRules): Example[] {
  const examples: Example[] = [];
  const add = (title: string, accepted: boolean, value: unknown): void => {
    examples.push({ title, accepted, change: (message) => message.set(field, value) });
  };
  const addDuration = (title: string, accepted: boolean, seconds: bigint): void =>
    add(title, accepted, reflect(DurationSchema, create(DurationSchema, { seconds })));
  if (type.case === "string") {
    const { minLen, maxLen, maxBytes, pattern } = type.value;
    if (minLen > 0n) add("empty", false, "");
    if (maxLen > 0n) {
      add(`${maxLen} characters`, true, lengthOf(maxLen, "a"));
      add(`${maxLen + 1n} characters`, false, lengthOf(maxLen + 1n, "a"));
    }
    if (maxBytes > 0n) add(`${maxBytes + 1n} bytes`, false, lengthOf(maxBytes / 2n + 1n, "ä"));
    if (pattern !== "") add("NUL", false, "a\0b");
    const bound = /\{\d+,(\d+)\}\)?\??\$$/.exec(pattern)?.[1];
    if (bound !== undefined) add("past the length of the pattern", false, "a".repeat(Number(bound) + 2));
    if (field.name === "order_by") {
      add("a field", true, "create_time");
      add("a field with a direction", true, "create_time desc");
      add("a field that no list is ordered by", false, "state");
    } else if (/^\^\([A-Za-z]+\|/.test(pattern)) {
      add("a word of the list", true, /[A-Za-z]+/.exec(pattern)?.[0]);
      add("a word that is not in the list", false, "WORD");
    } else if (pattern.includes("https?:")) {
      add("an origin", true, "https://a.example:8443");
      add("a path", false, "https://a.example/b");
    } else if (field.name === "model") {
      add("a model of a provider", true, "openai/gpt-5");
      add("a model without its provider", false, "gpt-5");
    } else if (pattern !== "" && !pattern.includes("0-9a-f")) add("a word", true, "word-1");
  }
  if (type.case === "bytes") {
    add(`${type.value.maxLen} bytes`, true, new Uint8Array(Number(type.value.maxLen)));
    add(`${type.value.maxLen + 1n} bytes`, false, new Uint8Array(Number(type.value.maxLen) + 1));
  }
  if (type.case === "int32") {
    const { lessThan } = type.value;
    const least = leastOf(type.value);
    add(`${least}`, true, least);
    add(`${least - 1}`, false, least - 1);
    if (lessThan.case === "lte") {
      add(`${lessThan.value}`, true, lessThan.value);
      add(`${lessThan.value + 1}`, false, lessThan.value + 1);
    }
  }
  if (type.case === "int64") {
    const { greaterThan, lessThan } = type.value;
    if (greaterThan.case === "gte") add(`${greaterThan.value - 1n}`, false, greaterThan.value - 1n);
    if (lessThan.case === "lte") {
      add(`${lessThan.value}`, true, lessThan.value);
      add(`${lessThan.value + 1n}`, false, lessThan.value + 1n);
    }
  }
  if (type.case === "double") {
    for (const value of [0, 0.5, 1]) add(`${value}`, true, value);
    for (const value of [-0.01, 1.01, Number.NaN, Number.POSITIVE_INFINITY]) add(`${value}`, false, value);
  }
  if (type.case === "enum") {
    add("an unknown number", false, 99);
    if (type.value.notIn.includes(0)) add("unspecified", false, 0);
    add("a known number", true, 1);
  }
  if (type.case === "duration" && type.value.lessThan.case === "lte") {
    const limit = type.value.lessThan.value.seconds;
    addDuration(`${limit} s`, true, limit);
    addDuration(`${limit + 1n} s`, false, limit + 1n);
    addDuration("-1 s", false, -1n);
  }
  if (type.case === "repeated" && field.fieldKind === "list") {
    const { maxItems } = type.value;
    const fill = (message: ReflectMessage, count: number): void => {
      const list = message.get(field);
      list.clear();
      const value = field.listKind === "message" ? validValue(field) : field.listKind === "scalar" ? "a" : 1;
      for (let i = 0; i < count; i++) list.add(value);
    };
    examples.push(
      { title: `${maxItems} items`, accepted: true, change: (message) => fill(message, Number(maxItems)) },
      { title: `${maxItems + 1n} items`, accepted: false, change: (message) => fill(message, Number(maxItems) + 1) },
    );
    if (type.value.minItems > 0n)
      examples.push({ title: "no items", accepted: false, change: (m) => m.get(field).clear() });
  }
  if (type.case === "map" && field.fieldKind === "map") {
    const { maxPairs } = type.value;
    const fill = (message: ReflectMessage, count: number): void => {
      for (let i = 0; i < count; i++) message.get(field).set(`key-${i}`, value());
    };
    const value = () => (field.mapKind === "message" ? validValue(field) : "value");
    examples.push(
      { title: `${maxPairs} pairs`, accepted: true, change: (message) => fill(message, Number(maxPairs)) },
      { title: `${maxPairs + 1n} pairs`, accepted: false, change: (message) => fill(message, Number(maxPairs) + 1) },
      { title: "an empty key", accepted: false, change: (message) => message.get(field).set("", value()) },
    );
    if (field.mapKind !== "message")
      examples.push({
        ...{ title: "a value with NUL", accepted: false },
        change: (message) => message.get(field).set("key", "\0"),
      });
  }
  return examples;
}

/** Smallest message that its rules accept. */
function createValid(schema: DescField["parent"]): ReflectMessage {
  const message = reflect(schema);
  for (const field of schema.fields) {
    if (!hasOption(field, fieldRules)) continue;
    const { type, required } = getOption(field, fieldRules);
    if (required) message.set(field, type.case === "duration" ? aSecond() : validValue(field));
    if (type.case === "int32" && leastOf(type.value) > 0) message.set(field, leastOf(type.value));
    if (type.case === "string" && field.oneof === undefined && !message.isSet(field))
      message.set(field, validText(type.value));
    if (type.case === "bytes" && type.value.minLen > 0n && field.oneof === undefined)
      message.set(field, new TextEncoder().encode("1".repeat(Number(type.value.minLen))));
    if (type.case === "enum" && type.value.notIn.includes(0)) message.set(field, 1);
    if (type.case === "repeated" && field.fieldKind === "list" && type.value.minItems > 0n)
      message.get(field).add(field.listKind === "message" ? validValue(field) : "a");
  }
  for (const { fields } of groupsOf(schema)) {
    const [first] = fields;
    if (first === undefined || fields.some((field) => message.isSet(field))) continue;
    if (first.fieldKind === "list") message.get(first).add("a");
    else message.set(first, "a");
  }
  for (const oneof of schema.oneofs) {
    const { fields } = oneof;
    const [first] = fields;
    if (!hasOption(oneof, oneofRules) || !getOption(oneof, oneofRules).required) continue;
    if (first?.message !== undefined && !fields.some((field) => message.isSet(field)))
      message.set(first, validValue(first));
  }
  const definition = schema.oneofs.find(({ name }) => name === "definition")?.fields[0];
  if (definition !== undefined) message.set(definition, "id: a");
  return message;
}

const aSecond = (): ReflectMessage => reflect(DurationSchema, create(DurationSchema, { seconds: 1n }));

/** The smallest number that a rule accepts. */
const leastOf = ({ greaterThan }: Int32Rules): number => (greaterThan.case === "gte" ? greaterThan.value : 0);

/** Of the one pattern that `a` does not match: a hash. */
const HASH = "^[0-9a-f]{64}$";

const validText = ({ minLen, pattern }: { minLen: bigint; pattern: string }): string => {
  if (pattern === HASH) return "a".repeat(64);
  return minLen > 0n || (pattern !== "" && !new RegExp(pattern).test("")) ? "a" : "";
};

const validValue = (field: DescField): ReflectMessage => {
  if (field.message === undefined) throw new Error(`${field.name} holds no message`);
  return createValid(field.message);
};

const violationsOf = (message: ReflectMessage): string[] => {
  const result = validator.validate(message.desc, message.message as Message);
  if (result.kind === "error") throw result.error;
  return (result.violations ?? []).map((violation) => violation.toString());
};

describe.each(REQUEST_MESSAGES.map((message) => [message.typeName, message] as const))("%s", (_name, message) => {
  test("the smallest valid request is accepted", () => {
    expect(violationsOf(createValid(message))).toEqual([]);
  });

  const examples = message.fields
    .filter((field) => hasOption(field, fieldRules))
    .flatMap((field) =>
      toExamples(field, getOption(field, fieldRules)).map((example) => ({ name: field.name, ...example })),
    );

  test.each(examples)("$name: $title accepted: $accepted", ({ name, accepted, change }) => {
    const request = createValid(message);
    for (const { fields, exclusive } of groupsOf(message))
      if (exclusive && fields.some((field) => field.name === name)) for (const field of fields) request.clear(field);
    change(request);
    const violations = violationsOf(request);
    if (accepted) expect(violations).toEqual([]);
    else expect(violations.filter((violation) => violation.startsWith(name))).not.toEqual([]);
  });
});

test("run ids that are safe in a path are accepted, others are not", () => {
  const judge = (runId: string): boolean =>
    validator.validate(StartRunRequestSchema, create(StartRunRequestSchema, { flowId: "a", runId })).kind === "valid";
  expect(["", "a", "Run_1.2_x-y", "a".repeat(100)].filter((id) => !judge(id))).toEqual([]);
  expect(["a/b", "a:cancel", "..", "é", "a b", "-a", "a".repeat(101), "a?b", "a%2f", "a~b"].filter(judge)).toEqual([]);
});
