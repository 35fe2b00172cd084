import { expect, test } from "vitest";
import { linesOf, tasks, warningsOf } from "./judge.ts";

const condition = (more = ""): string =>
  `{id: a, type: condition, condition: "\${run.run_id != ''}", on_success: [t], on_failure: [b]${more}}`;
const b = "{id: b, type: noop}";

test("a target that waits for the other side of its condition is a warning, with the cure", async () => {
  // Cause: such a flow ran the target on the side that does not name it, and never on the one that does.
  expect(await warningsOf(tasks(condition(), b, "{id: t, type: noop, depends_on: [b]}"))).toMatchObject([
    {
      code: "TARGET_NEVER_RUNS",
      path: "workflow.tasks[0].on_success[0]",
      line: 4,
      message: '"t" does not run when "a" is true: it needs "b", which runs only when it is false',
      cure: expect.stringContaining("trigger_rule: none_failed"),
    },
  ]);
});

test.each([
  ["tolerates skips", tasks(condition(), b, "{id: t, type: noop, depends_on: [b], trigger_rule: none_failed}")],
  ["needs nothing of the other side", tasks(condition(), b, "{id: t, type: noop}")],
  ["follows a condition that may fail", tasks(condition(", on_error: continue"), b, "{id: t, type: noop}")],
])("a target that %s is none", async (_what, flow) => {
  expect(await linesOf(flow)).toEqual([]);
});
