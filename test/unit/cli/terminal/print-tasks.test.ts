import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { formatRuns, formatTasks } from "../../../../src/cli/terminal/print.ts";
import {
  DeadLetterReason,
  RunState,
  RunSummarySchema,
  RunTaskSchema,
  TaskState,
} from "../../../../src/gen/orchestrator/v1/run_pb.ts";

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

// Cause: TOOK of an open run was its age so far, that of an ended one the time to its end.
test("a table of runs says how old each is, and of those that have ended how long they took", () => {
  const run = (runId: string, state: RunState, endMs?: number) =>
    create(RunSummarySchema, {
      ...{ runId, flowId: "f", state, createTime: timestampFromMs(0) },
      ...(endMs === undefined ? {} : { endTime: timestampFromMs(endMs) }),
    });
  const runs = [run("ended", RunState.COMPLETED, 20_000), run("open", RunState.RUNNING)];
  const { text } = formatRuns(runs, 60_000);
  expect(text).toMatch(/^RUN +FLOW +STATE +AGE +TOOK +KEY\nended +f +COMPLETED +1m +20s *\nopen +f +RUNNING +1m *\n$/);
  const task = { ...done, startTime: timestampFromMs(5_000), endTime: timestampFromMs(8_000) };
  expect(formatTasks([task]).text).toMatch(/TOOK +ERROR\na .*COMPLETED +3s *\n$/);
});
