import { create, fromBinary, toBinary, toJson } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compileEncoder } from "../../../src/api/encode.ts";
import { GetRunResponseSchema } from "../../../src/gen/orchestrator/v1/run_service_pb.ts";
import { arbitraryMessage } from "./support/arbitrary-message.ts";
import { SERVICES } from "./support/services.ts";

describe("own bytes mean what the library's bytes mean", () => {
  const outputs = new Map(
    SERVICES.flatMap((service) => service.methods.map((method) => [method.output.typeName, method.output])),
  );
  for (const [name, desc] of outputs) {
    test(name, () => {
      const encode = compileEncoder(desc);
      const property = fc.property(arbitraryMessage(desc), (message) => {
        const own = fromBinary(desc, encode(message));
        const theirs = fromBinary(desc, toBinary(desc, message));
        expect(toBinary(desc, own)).toEqual(toBinary(desc, theirs));
      });
      fc.assert(property, { numRuns: 60 });
    });
  }
});

test("lengths around the edges of one, two and three bytes are right", () => {
  const encode = compileEncoder(GetRunResponseSchema);
  for (const length of [0, 1, 39, 40, 41, 126, 127, 128, 129, 16_383, 16_384, 2_097_151, 2_097_153]) {
    for (const text of ["x".repeat(length), "é".repeat(length), "€".repeat(length)]) {
      const message = create(GetRunResponseSchema, {
        run: { runId: text, inputValue: { case: "input", value: { [text]: text } } },
      });
      expect(toJson(GetRunResponseSchema, fromBinary(GetRunResponseSchema, encode(message)))).toEqual(
        toJson(GetRunResponseSchema, message),
      );
    }
  }
});

test("bytes that were given out do not change when the next message is encoded", () => {
  const encode = compileEncoder(GetRunResponseSchema);
  const first = encode(create(GetRunResponseSchema, { run: { runId: "a".repeat(100) } }));
  const copy = Buffer.from(first);
  encode(create(GetRunResponseSchema, { run: { runId: "b".repeat(100_000) } }));
  encode(create(GetRunResponseSchema, { run: { runId: "c".repeat(100) } }));
  expect(first.equals(copy)).toBe(true);
});
