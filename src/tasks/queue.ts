import { z } from "zod";
import { defineTaskType } from "./define.ts";
import { anyJson, keyed } from "./schema/schemas.ts";

/** Topic of tasks that name none. */
export const DEFAULT_TOPIC = "task_queue";

/** `queue`: work that an executor takes from a topic. */
export const queue = defineTaskType({
  type: "queue",
  effect: "remote",
  leaving: {
    carrier: "topics",
    otherwise: "workers",
    toWork: ({ topic, handler, inputs }) => ({
      destination: typeof topic === "string" ? topic : DEFAULT_TOPIC,
      handler: typeof handler === "string" ? handler : "",
      input: inputs ?? {},
    }),
  },
  summary: "Is done by an executor: a program that takes tasks from a Kafka topic and answers on another one.",
  documentation:
    "The task is put on its topic as a message (see [how-to/kafka-executor.md](how-to/kafka-executor.md)) and ends with the answer on `task_done` or `task_failed`. A topic acknowledges nothing, so the task stays `SCHEDULED` until the answer, or until the executor says on `task_started` that it has begun. The attempt fails with `TIMEOUT` when there is no answer within `schedule_to_start_timeout` (an hour by default: the time in the topic) and `timeout` together; once it has begun, within `timeout`. Answers may repeat `attempt` and `fencing_token` of the message; without them, an answer that is older than the current attempt does not count. A message that the broker never takes (it is too large, or the service may not write to the topic) fails the task with `DISPATCH_REJECTED`, which is not retried. Executors can be told on `task_control` of attempts that are over before they answered (setting `kafka.task_control`). Without `retry_policy` or `timeout`, the settings `engine.max_retry_attempts`, `engine.retry_backoff_base`, and `engine.default_task_timeout` hold. Without Kafka, workers that serve the queue named like the topic do these tasks.",
  parameters: keyed({
    handler: z
      .string()
      .min(1)
      .max(255)
      .meta({ description: "Name of the executor's function, as the message carries it." }),
    inputs: anyJson.optional().meta({ description: "What the executor gets; an empty object by default." }),
    topic: z
      .string()
      .min(1)
      .max(249)
      .regex(/^[A-Za-z0-9._-]+$/, { error: "use letters, digits, and . _ -" })
      .optional()
      .meta({ description: `Topic of the executors; \`${DEFAULT_TOPIC}\` by default.` }),
  }),
  result: anyJson,
  example: `id: enrich
type: queue
parameters:
  handler: enrich_customer
  inputs: {customer: "\${vars.customer}"}
timeout: 300
retry_policy: {max_retries: 3}
`,
});
