import { create } from "@bufbuild/protobuf";
import { FieldMaskSchema } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { createPayloadRoom } from "../../../../src/api/mapping/payload.ts";
import { parseReadMask, type ReadMask } from "../../../../src/api/mapping/read-mask.ts";
import { toRun } from "../../../../src/api/mapping/run.ts";
import { createState, type RunState } from "../../../../src/engine/machine/state.ts";
import { RunSchema } from "../../../../src/gen/orchestrator/v1/run_pb.ts";

const mask = (...paths: string[]) => parseReadMask(RunSchema, create(FieldMaskSchema, { paths }));

const LIMITS = { maxPayloadBytes: 65_536, maxInlinePayloadBytes: 16_384, maxMessageBytes: 262_144 };

const show = (state: RunState, readMask: ReadMask) => toRun(state, null, readMask, createPayloadRoom(LIMITS));

function finishedRun() {
  const state = createState("r");
  state.flowId = "f";
  state.phase = "FAILED";
  state.vars = { a: 1 };
  state.output = { b: 2 };
  state.error = { type: "T", message: "m", task: "t" };
  state.createdAt = 1_000;
  return state;
}

test("only the wanted fields are answered", () => {
  expect(show(finishedRun(), mask("run_id", "state"))).toEqual(create(RunSchema, { runId: "r", state: 10 }));
});

test("a path into a message keeps the rest of that message out", () => {
  expect(show(finishedRun(), mask("error.type")).error).toMatchObject({ type: "T", message: "", taskId: "" });
});

test("payloads come in the form that the mask names, and not at all when it names none", () => {
  expect(show(finishedRun(), mask("input")).inputValue).toEqual({ case: "input", value: { a: 1 } });
  expect(show(finishedRun(), mask("input_json")).inputValue).toEqual({
    case: "inputJson",
    value: Buffer.from('{"a":1}'),
  });
  expect(show(finishedRun(), mask("run_id")).inputValue.case).toBeUndefined();
  expect(show(finishedRun(), mask("input")).outputValue.case).toBeUndefined();
  expect(show(finishedRun(), parseReadMask(RunSchema, undefined)).outputValue.case).toBe("output");
});

test("every unknown path is named", () => {
  expect(() => mask("nothing")).toThrow('read_mask: "nothing": Run has no field "nothing"');
  expect(() => mask("run_id.x")).toThrow("is not a message");
  expect(() => mask("error.nothing")).toThrow('RunError has no field "nothing"');
});

test("a value that nests deeper than libraries read is answered as text", () => {
  const state = finishedRun();
  let deep: object = {};
  for (let level = 0; level < 40; level += 1) deep = { a: deep };
  state.output = deep as never;
  expect(show(state, parseReadMask(RunSchema, undefined)).outputValue.case).toBe("outputJson");
});

// Cause: an input came back as a message of five times its size, so that a start of a large one was answered
// MESSAGE_TOO_LARGE though the run was started.
test("what is larger than the inline limit is a reference, unless its JSON is asked for", () => {
  const state = finishedRun();
  state.vars = { a: Array.from({ length: 12_000 }, () => 1) };
  const text = JSON.stringify(state.vars);
  const { inputValue } = show(state, parseReadMask(RunSchema, undefined));
  expect(inputValue).toMatchObject({
    case: "inputRef",
    value: {
      payloadId: Buffer.from("r/input").toString("base64url"),
      sizeBytes: BigInt(text.length),
      contentType: "application/json",
    },
  });
  expect(show(state, mask("input_json")).inputValue).toEqual({ case: "inputJson", value: Buffer.from(text) });
});

test("what does not fit into the answer any more is text, and a reference at last; the output comes first", () => {
  const state = finishedRun();
  const list = (length: number) => Array.from({ length }, () => 1);
  state.vars = { a: list(8_000) };
  state.output = list(8_000);
  const everything = parseReadMask(RunSchema, undefined);
  const run = show(state, everything);
  expect([run.outputValue.case, run.inputValue.case]).toEqual(["output", "inputJson"]);
  const room = createPayloadRoom(LIMITS);
  const cases = Array.from({ length: 6 }, () => toRun(state, null, everything, room).inputValue.case);
  expect(cases.at(-1)).toBe("inputRef");
  const small = { ...LIMITS, maxMessageBytes: 20_000 };
  expect(toRun(state, null, mask("output_json"), createPayloadRoom(small)).outputValue.case).toBe("outputRef");
});
