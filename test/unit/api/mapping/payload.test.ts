/** Payloads that come as messages: gRPC libraries send numbers and values that JSON does not have. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { fromPayload } from "../../../../src/api/mapping/payload.ts";

const LIMITS = { maxPayloadBytes: 1_000, maxInlinePayloadBytes: 1_000, maxMessageBytes: 1_000_000 };

const read = (kind: NonNullable<MessageInitShape<typeof ValueSchema>["kind"]>) =>
  fromPayload({ case: "output", value: create(ValueSchema, { kind }) }, "output", "absent", LIMITS);

test("a value that is no JSON is refused as such, however deep", () => {
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
    const number = { kind: { case: "numberValue" as const, value } };
    for (const kind of [
      number.kind,
      { case: "listValue" as const, value: { values: [number] } },
      { case: "structValue" as const, value: { fields: { deep: number } } },
    ])
      expect(() => read(kind)).toThrow(expect.objectContaining({ code: "INVALID_JSON" }));
  }
});

test("a value that says nothing is null, and __proto__ is a key as any other", () => {
  expect(read({ case: undefined })).toBeNull();
  expect(read({ case: "listValue", value: { values: [{}] } })).toEqual([null]);
  const fields = JSON.parse('{"__proto__": {"kind": {"case": "boolValue", "value": true}}}');
  expect(JSON.stringify(read({ case: "structValue", value: { fields } }))).toBe('{"__proto__":true}');
});
