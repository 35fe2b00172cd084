import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { describeEvent } from "../../../../src/cli/terminal/describe-event.ts";
import { RunEventKind, RunEventSchema } from "../../../../src/gen/orchestrator/v1/run_event_pb.ts";

// Cause: the events of a state machine showed `state.entered` line by line, and never which state.
test("an event without details of its own shows its attributes", () => {
  const event = create(RunEventSchema, {
    kind: RunEventKind.STATE_ENTERED,
    attributes: { state: "paid", visit: 2, by: { kind: "signal" } },
  });
  expect(describeEvent(event)).toEqual({ state: "", detail: "state paid, visit 2" });
  expect(describeEvent(create(RunEventSchema, { kind: RunEventKind.STATE_SETTLED }))).toEqual({
    state: "",
    detail: "",
  });
});
