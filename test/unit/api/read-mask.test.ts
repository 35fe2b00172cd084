import { create } from "@bufbuild/protobuf";
import { FieldMaskSchema } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { parseReadMask } from "../../../src/api/mapping/read-mask.ts";
import { toRun } from "../../../src/api/mapping/run.ts";
import { createState } from "../../../src/engine/state.ts";
import { RunSchema } from "../../../src/gen/orchestrator/v1/run_pb.ts";

const mask = (...paths: string[]) => parseReadMask(RunSchema, create(FieldMaskSchema, { paths }));

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
  expect(toRun(finishedRun(), null, mask("run_id", "state"))).toEqual(create(RunSchema, { runId: "r", state: 10 }));
});

test("a path into a message keeps the rest of that message out", () => {
  expect(toRun(finishedRun(), null, mask("error.type")).error).toMatchObject({ type: "T", message: "", taskId: "" });
});

test("payloads come in the form that the mask names, and not at all when it names none", () => {
  expect(toRun(finishedRun(), null, mask("input")).inputValue).toEqual({ case: "input", value: { a: 1 } });
  expect(toRun(finishedRun(), null, mask("input_json")).inputValue).toEqual({
    case: "inputJson",
    value: Buffer.from('{"a":1}'),
  });
  expect(toRun(finishedRun(), null, mask("run_id")).inputValue.case).toBeUndefined();
  expect(toRun(finishedRun(), null, mask("input")).outputValue.case).toBeUndefined();
  expect(toRun(finishedRun(), null, parseReadMask(RunSchema, undefined)).outputValue.case).toBe("output");
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
  expect(toRun(state, null, parseReadMask(RunSchema, undefined)).outputValue.case).toBe("outputJson");
});
