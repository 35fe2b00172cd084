/** What a report on an attempt that has ended is answered. */
import { expect, test } from "vitest";
import type { TaskState } from "../../../../src/engine/machine/state.ts";
import { standingOf } from "../../../../src/engine/runs/dispatch/standing.ts";

const task = (given: Partial<TaskState>) => ({ error: null, output: undefined, ...given }) as TaskState;
const failed = (type: string) => ({ ok: false as const, error: { type, message: "", retryable: true } });

test("of a canceled task, only the word that the worker stopped counts, and what was recorded before", () => {
  const canceled = task({ state: "CANCELED" });
  expect(standingOf(canceled, failed("CANCELED"))).toBe("accepted");
  expect(standingOf(canceled, failed("BROKEN"))).toMatchObject({ standing: "already_reported", state: "CANCELED" });
  expect(standingOf(canceled, { ok: true, output: 1 })).toMatchObject({ standing: "already_reported" });
  // It failed, and was canceled while it waited for its next attempt.
  expect(standingOf(task({ state: "CANCELED", error: failed("BROKEN").error }), failed("BROKEN"))).toBe("accepted");
});
