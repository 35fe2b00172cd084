/**
 * The conformance tests of CEL (cel-spec, in the package @bufbuild/cel-spec) over what expressions here can say. A test
 * passes, or a deviation covers it; a deviation that covers no failing test is out of date. docs/flows.md lists the
 * same deviations.
 */
import { readFileSync } from "node:fs";
import type { Value as SpecValue } from "@bufbuild/cel-spec/cel/expr/value_pb.js";
import type { IncrementalTest, IncrementalTestSuite } from "@bufbuild/cel-spec/testdata/tests.js";
import { getConformanceSuite } from "@bufbuild/cel-spec/testdata/tests.js";
import { describe, expect, it } from "vitest";
import { areEqual } from "../../../../src/flows/expressions/values/compare.ts";
import { BuiltList, BuiltMap } from "../../../../src/flows/expressions/values/lists.ts";
import { withMeter } from "../../../../src/flows/expressions/values/meter.ts";
import {
  Duration,
  Timestamp,
  TYPE_VALUES,
  typeOf,
  Uint,
  type Value,
} from "../../../../src/flows/expressions/values/values.ts";
import { DEVIATIONS } from "./deviations.ts";
import { evaluate } from "./evaluate.ts";

const SECOND = 1_000_000_000n;

class Unsupported extends Error {}

/** A value of the tests as one of ours. */
function fromSpec({ kind }: SpecValue): Value {
  switch (kind.case) {
    case "nullValue":
      return null;
    case "boolValue":
    case "stringValue":
    case "bytesValue":
    case "doubleValue":
    case "int64Value":
      return kind.value;
    case "uint64Value":
      return new Uint(kind.value);
    case "listValue":
      return new BuiltList(kind.value.values.map(fromSpec));
    case "mapValue": {
      const map = new BuiltMap();
      for (const { key, value } of kind.value.entries)
        map.add(fromSpec(key as SpecValue), fromSpec(value as SpecValue));
      return map;
    }
    case "typeValue":
      return TYPE_VALUES.get(kind.value) ?? raise(`type ${kind.value}`);
    case "objectValue":
      return fromMessage(kind.value.typeUrl, kind.value.value);
    default:
      return raise(String(kind.case));
  }
}

function fromMessage(url: string, bytes: Uint8Array): Value {
  const name = url.replace(/^.*\//, "");
  if (!/^google\.protobuf\.(Timestamp|Duration)$/.test(name)) raise(name);
  const fields = readFields(bytes);
  const nanos = (fields[1] ?? 0n) * SECOND + (fields[2] ?? 0n);
  return name.endsWith("Timestamp") ? new Timestamp(nanos) : new Duration(nanos);
}

/** Varint fields of a message. */
function readFields(bytes: Uint8Array): Record<number, bigint> {
  const fields: Record<number, bigint> = {};
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++] as number;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asIntN(64, value);
    }
  };
  while (at < bytes.length) fields[Number(varint() >> 3n)] = varint();
  return fields;
}

function raise(what: string): never {
  throw new Unsupported(`${what} does not exist here`);
}

/** What is wrong with our answer; undefined when nothing is. */
function judge({ original }: IncrementalTest): string | undefined {
  if (original === undefined) return "no test";
  try {
    const bindings = Object.entries(original.bindings).map(([name, { kind }]): [string, Value] => [
      name,
      kind.case === "value" ? fromSpec(kind.value) : raise(String(kind.case)),
    ]);
    const { resultMatcher } = original;
    const isError = resultMatcher.case === "evalError" || resultMatcher.case === "anyEvalErrors";
    let value: Value;
    try {
      value = withMeter(() => evaluate(original.expr, Object.fromEntries(bindings)));
    } catch (cause) {
      return isError ? undefined : String(cause);
    }
    if (isError) return `gives ${show(value)}, not an error`;
    const wanted = wantedOf(original, value);
    if (typeOf(value) !== typeOf(wanted)) return `gives the type ${typeOf(value).name}, not ${typeOf(wanted).name}`;
    const isSame = withMeter(() => areEqual(value, wanted)) || (Number.isNaN(value) && Number.isNaN(wanted));
    return isSame && Object.is(value, -0) === Object.is(wanted, -0)
      ? undefined
      : `gives ${show(value)}, not ${show(wanted)}`;
  } catch (cause) {
    if (cause instanceof Unsupported) return cause.message;
    throw cause;
  }
}

function wantedOf({ resultMatcher }: NonNullable<IncrementalTest["original"]>, value: Value): Value {
  if (resultMatcher.case === "value") return fromSpec(resultMatcher.value);
  // Types are not deduced here; a test without a result asks only for the type.
  if (resultMatcher.case !== "typedResult") return true;
  return resultMatcher.value.result === undefined ? value : fromSpec(resultMatcher.value.result);
}

function show(value: Value): string {
  return JSON.stringify(value, (_key, one: unknown) => (typeof one === "bigint" ? `${one}` : one)) ?? "nothing";
}

function listTests(suite: IncrementalTestSuite, path: string): { path: string; test: IncrementalTest }[] {
  return [
    ...(suite.tests ?? []).map((test) => ({ path: `${path}/${test.name}`, test })),
    ...(suite.suites ?? []).flatMap((inner) => listTests(inner, `${path}/${inner.name}`)),
  ];
}

/** The deviation that covers a test: its own path, or that of a section around it. */
function coverOf(path: string): string | undefined {
  return Object.keys(DEVIATIONS).find((section) =>
    section.endsWith("*") ? path.startsWith(section.slice(0, -1)) : path === section || path.startsWith(`${section}/`),
  );
}

const used = new Set<string>();

describe.each((getConformanceSuite().suites ?? []).map((suite) => [suite.name, suite] as const))(
  "%s",
  (name, suite) => {
    it("passes, but for the deviations", () => {
      const failures: string[] = [];
      for (const { path, test } of listTests(suite, name)) {
        const problem = judge(test);
        if (problem === undefined) continue;
        const cover = coverOf(path);
        if (cover === undefined) failures.push(`${path}: ${test.original.expr}: ${problem}`);
        else used.add(cover);
      }
      expect(failures).toEqual([]);
    });
  },
);

it("every deviation is one, and docs/flows.md lists it with its reason", () => {
  expect(Object.keys(DEVIATIONS).filter((section) => !used.has(section))).toEqual([]);
  const documented = readFileSync(new URL("../../../../docs/flows.md", import.meta.url), "utf8");
  const rows = [...documented.matchAll(/^\| `([^`]+)` \| (.+) \|$/gm)].map((row) => [row[1], row[2]]);
  for (const entry of Object.entries(DEVIATIONS)) expect(rows).toContainEqual(entry);
});
