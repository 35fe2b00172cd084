import { expect, test } from "vitest";
import { compileFlow } from "../../../src/flows/compile.ts";
import type { DagPlan, TaskSpec } from "../../../src/flows/plan.ts";
import { withQueueDefaults } from "../../../src/flows/planning/queue-defaults.ts";

const DEFAULTS = { maxRetries: 5, backoffBase: 3, timeoutMs: 7_000 };

async function planned(...tasks: readonly object[]): Promise<readonly TaskSpec[]> {
  const document = { id: "f", name: "F", version: "1", workflow: { tasks } };
  const { plan } = await compileFlow({ text: JSON.stringify(document) });
  return (withQueueDefaults(plan, DEFAULTS) as DagPlan).nodes.map(({ task }) => task);
}

const queue = (id: string, more: object = {}) => ({ id, type: "queue", parameters: { handler: "h" }, ...more });

test("tasks for executors get what they do not set, and no others do", async () => {
  const [bare, timed, retried, pure] = await planned(
    queue("bare"),
    queue("timed", { timeout: 1 }),
    queue("retried", { retry_policy: { max_retries: 0 } }),
    { id: "pure", type: "transform", parameters: { output: 1 } },
  );
  const retries = { maxRetries: 5, initialDelayMs: 3_000, multiplier: 3, maxDelayMs: 86_400_000 };
  expect(bare?.defaults).toEqual({ ...retries, startToCloseMs: 7_000 });
  expect(timed?.defaults).toEqual(retries);
  expect(retried?.defaults).toEqual({ startToCloseMs: 7_000 });
  expect(pure?.defaults).toBeUndefined();
});

test("children of groups get them, too", async () => {
  const child = { type: "queue", parameters: { handler: "h" } };
  const [all] = await planned({ id: "all", type: "parallel", parameters: { tasks: [child] } });
  expect(all?.children?.[0]?.defaults).toMatchObject({ maxRetries: 5 });
});
