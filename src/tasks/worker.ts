import { z } from "zod";
import type { JsonObject } from "../base/json/json.ts";
import { defineTaskType } from "./define.ts";
import { anyJson, keyed, PLAIN_TEXT, PLAIN_TEXT_PROBLEM } from "./schema/schemas.ts";

/** Queue of tasks that name none. */
export const DEFAULT_QUEUE = "default";

/** Most labels that a task asks for. */
const MAX_TASK_LABELS = 16;

const name = z
  .string()
  .min(1)
  .max(63)
  .regex(/^[A-Za-z0-9][A-Za-z0-9._/-]*$/, {
    error: "use letters, digits, and . _ / -, beginning with a letter or digit",
  });

/** `worker`: work that a process of the user does. */
export const worker = defineTaskType({
  type: "worker",
  effect: "remote",
  leaving: {
    carrier: "workers",
    toWork: ({ queue, handler, input, priority, labels, fairness_key: key }) => ({
      destination: typeof queue === "string" ? queue : DEFAULT_QUEUE,
      handler: typeof handler === "string" ? handler : "",
      input: input ?? null,
      ...(typeof priority === "number" ? { priority } : {}),
      labels: typeof labels === "object" && labels !== null ? toLabels(labels as JsonObject) : "",
      fairnessKey: typeof key === "string" ? key : "",
    }),
  },
  summary: "Is done by a worker: a process of yours that takes tasks from a queue.",
  documentation:
    "The task is `SCHEDULED` until a worker that serves its `queue` and `handler` acknowledges it, then `RUNNING`. `schedule_to_start_timeout` bounds the wait for a worker; `timeout` counts from the acknowledgement; with `heartbeat_timeout` the worker must report that it is alive at least that often. There is no default timeout. The worker gets the idempotency key, which is the same for all attempts, and a fencing token, which rises with every hand-over. A hand-over that is not acknowledged within 5 s, or whose worker is gone, is repeated with the same attempt number, three times at most; the next loss uses up the attempt (`WORKER_LOST`). An error that the worker reports is retried as the retry policy says, unless the worker says that it is not retryable. The output is what the handler returned. Tasks wait while nobody serves their queue.",
  parameters: keyed({
    handler: name.meta({ description: "Name of the function that the worker has registered." }),
    queue: name.optional().meta({ description: `Queue that the workers serve; \`${DEFAULT_QUEUE}\` by default.` }),
    input: anyJson.optional().meta({ description: "What the handler gets; null by default." }),
    priority: z
      .int()
      .min(-100)
      .max(100)
      .optional()
      .meta({ description: "Tasks of a queue with a higher priority are handed out first; 0 by default." }),
    labels: z
      .record(name, name)
      .refine((labels) => Object.keys(labels).length <= MAX_TASK_LABELS, {
        error: `expected at most ${MAX_TASK_LABELS} labels`,
      })
      .optional()
      .meta({ description: "What the worker must have: it has registered with all of these labels." }),
    fairness_key: z
      .string({ error: "expected text; write a number in quotes, or as string(…) in an expression" })
      .max(256)
      .regex(PLAIN_TEXT, { error: PLAIN_TEXT_PROBLEM })
      .optional()
      .meta({
        description:
          "Tasks of a queue with the same handler, labels, and priority and different keys take turns, such as customers. Without a key, they go by time.",
      }),
  }),
  result: anyJson,
  example: `id: resize
type: worker
parameters:
  queue: images
  handler: resize
  input: {files: "\${vars.files}", width: 800}
timeout: 60
heartbeat_timeout: 10
`,
});

/** Labels as one text, which is the same for the same labels. Neither keys nor values hold `=` or commas. */
function toLabels(labels: JsonObject): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .sort()
    .join(",");
}
