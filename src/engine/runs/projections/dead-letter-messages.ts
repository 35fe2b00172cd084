import { externalIdOf } from "../../machine/external-ids.ts";
import type { JournalRecord } from "../../machine/records.ts";
import type { Run } from "../../machine/run.ts";
import { DEAD_LETTER_TOPIC, type OutboxRow } from "../../ports/bus/outbox.ts";
import { workOf } from "../dispatch/ready-task.ts";

/** The message about a task that is not tried again, with its whole story. */
export function toDeadLetterMessage(
  run: Run,
  { task: path, error, deadLetter, at }: Extract<JournalRecord, { readonly type: "task.failed" }>,
  sequence: number,
): OutboxRow | null {
  const task = run.state.tasks.get(path);
  if (deadLetter === undefined || task === undefined) return null;
  const { runId, tenantId, flowId, version, facts } = run.state;
  const { correlationId, userId, context } = facts;
  const { handler, input } = workOf(run, task);
  const { type: errorType, message, details } = error;
  return {
    ...{ tenantId, taskPath: path, sequence, at },
    ...{ destination: "kafka", topic: DEAD_LETTER_TOPIC, key: runId, kind: "dead_letter" },
    content: {
      ...{ taskId: externalIdOf(run.plan, path), flowId, version, handler, inputs: input },
      ...{ correlationId, userId, context },
      ...{
        attempts: task.attempt,
        errors: task.failures,
        error: { type: errorType, message, ...(details === undefined ? {} : { details }) },
      },
      ...{ reason: deadLetter, scheduledAt: task.scheduledAt },
    },
  };
}
