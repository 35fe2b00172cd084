import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { formatTasks } from "../../../../src/cli/terminal/print.ts";
import { DeadLetterReason, RunTaskSchema, TaskState } from "../../../../src/gen/orchestrator/v1/run_pb.ts";

const done = create(RunTaskSchema, { taskId: "a", taskType: "noop", state: TaskState.COMPLETED });
const dead = create(RunTaskSchema, {
  taskId: "b",
  taskType: "http",
  state: TaskState.FAILED,
  deadLetter: true,
  deadLetterReason: DeadLetterReason.ATTEMPTS_EXHAUSTED,
  error: { type: "HTTP_503", message: "busy" },
});

// Cause: the table said that a task had failed, and only `-o json` why nothing more is tried.
test("a table of tasks says which are dead letters and why, and has no column for it when none is", () => {
  expect(formatTasks([done, dead]).text).toMatch(
    /DEAD LETTER +ERROR\na .*\nb .*FAILED +ATTEMPTS_EXHAUSTED +HTTP_503: busy/,
  );
  expect(formatTasks([done]).text).not.toContain("DEAD LETTER");
});
