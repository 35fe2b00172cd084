/**
 * The shape of a flow document, declared once: the checks and the JSON Schema for editors both use it. References and
 * expressions are checked elsewhere.
 */
import { z } from "zod";
import { isZeroDuration, ZERO_TIMEOUT } from "../../base/time/duration.ts";
import { budget } from "../../tasks/schema/budget.ts";
import { jsonSchema } from "../../tasks/schema/json-schema.ts";
import {
  duration,
  durationOrExpression,
  GRAPH_NAME_PATTERN,
  ID_PATTERN,
  ID_PROBLEM,
  keyed,
  MAX_ID_LENGTH,
  timeoutOrExpression,
  versionText,
} from "../../tasks/schema/schemas.ts";
import { signalName } from "../../tasks/signal.ts";

/** Maximum number of tasks (or states) in a flow; children of `parallel` count. */
export const MAX_TASKS = 2_000;
/** Maximum number of dependencies of all tasks of a flow together. */
export const MAX_DEPENDENCIES = 10_000;
/** Maximum number of variables of a flow. */
const MAX_VARIABLES = 200;
/** Most characters of an external id. */
export const MAX_EXTERNAL_ID = 255;
/** Default `max_transitions` of an FSM flow. */
export const DEFAULT_MAX_TRANSITIONS = 1_000;

const id = z.string().max(MAX_ID_LENGTH).regex(ID_PATTERN, { error: ID_PROBLEM });
const ids = z.array(id).max(MAX_TASKS);
const variableName = z
  .string()
  .max(64)
  .regex(/^[A-Za-z_][A-Za-z0-9_-]*$/, { error: "expected a name: a letter or _, then letters, digits, _ and -" });
const externalId = z
  .string()
  .min(1)
  .refine((text) => text.length <= MAX_EXTERNAL_ID || [...text].length <= MAX_EXTERNAL_ID, {
    error: `expected text of up to ${MAX_EXTERNAL_ID} characters`,
  });
const title = z.string().max(256);
const description = z.string().max(16_384);
const errorType = z.string().min(1).max(128);
const predicate = z
  .union([z.string(), z.boolean()], { error: 'expected an expression that evaluates to true or false, written "${…}"' })
  .meta({ description: "An expression `${…}` that evaluates to true or false." });

const VARIABLE_TYPES = ["string", "number", "integer", "boolean", "array", "object", "any"] as const;

const variable = keyed({
  name: variableName.meta({ description: "Name of the variable." }),
  type: z.enum(VARIABLE_TYPES).optional().meta({ description: "Type of its values; any by default." }),
  description: description.optional(),
  required: z
    .boolean()
    .optional()
    .meta({ description: "Whether a start must set it; false by default. A default counts as set." }),
  default: z.json().optional().meta({ description: "Value if a start sets none." }),
  enum: z.array(z.json()).min(1).max(1_000).optional().meta({ description: "The only accepted values." }),
});

const BACKOFF_TYPES = ["fixed", "linear", "exponential", "full_jitter"] as const;

const retryPolicy = keyed({
  max_retries: z
    .int()
    .min(0)
    .max(1_000_000)
    .optional()
    .meta({ description: "Attempts after the first one; 3 by default." }),
  backoff_type: z.enum(BACKOFF_TYPES).optional().meta({ description: "How the delay grows; exponential by default." }),
  initial_delay: durationOrExpression
    .optional()
    .meta({ description: "Delay before the second attempt; 1s by default." }),
  max_delay: durationOrExpression.optional().meta({ description: "Longest delay; 60s by default." }),
  multiplier: z
    .number()
    .min(1)
    .max(1_000)
    .optional()
    .meta({ description: "Growth of exponential backoff; 2 by default." }),
  non_retryable: z.array(errorType).max(100).optional().meta({ description: "Error types that are not retried." }),
});

/** Most characters of the name of a limit. */
const MAX_LIMIT_NAME = 63;

/** Most slots of a limit that may be in use, and most that a rate gives out at once. */
const MAX_LIMIT_COUNT = 1_000_000;

const limit = keyed({
  name: z
    .string()
    .max(MAX_LIMIT_NAME)
    .regex(/^[A-Za-z0-9][A-Za-z0-9._/-]*$/, {
      error: "use letters, digits, and . _ / -, beginning with a letter or digit; the name is fixed, the key may vary",
    })
    .meta({
      description:
        "Name of the limit, the same for all flows of the tenant. Names that begin with `orchestrator.dev/` belong to the service.",
    }),
  key: z
    .union([z.string().max(8_192), z.number(), z.boolean()])
    .optional()
    .meta({ description: "Each value is a limit of its own; may contain `${…}`, and is empty by default." }),
  max_concurrent: z
    .int()
    .min(1)
    .max(MAX_LIMIT_COUNT)
    .optional()
    .meta({ description: "How many attempts may be under way at once." }),
  rate: keyed({
    count: z
      .int()
      .min(1)
      .max(MAX_LIMIT_COUNT)
      .meta({ description: "How many attempts may begin in that time, on average." }),
    per: duration
      .refine((value) => !isZeroDuration(value), { error: ZERO_TIMEOUT })
      .meta({ description: "The time, such as 1m." }),
  })
    .optional()
    .meta({ description: "How often attempts may begin; up to `count` of them at once." }),
  timeout: duration
    .refine((value) => !isZeroDuration(value), { error: ZERO_TIMEOUT })
    .optional()
    .meta({ description: "Longest wait of an attempt; then the task fails with LIMIT_WAIT_EXPIRED." }),
});

const executable = {
  name: title.optional().meta({ description: "Name for people." }),
  description: description.optional(),
  type: z.string().meta({ description: "Task type." }),
  parameters: z
    .record(z.string(), z.json(), { error: "expected an object of parameters" })
    .optional()
    .meta({ description: "Parameters of the task type; values may contain `${…}`." }),
  condition: predicate.optional().meta({ description: "For the type condition: the expression to evaluate." }),
  retry_policy: retryPolicy.optional().meta({ description: "Without it there is one attempt." }),
  timeout: timeoutOrExpression
    .optional()
    .meta({ description: "Longest time of one attempt (start to close), or longest wait of a signal or approval." }),
  schedule_to_start_timeout: timeoutOrExpression
    .optional()
    .meta({ description: "Longest time until an attempt starts." }),
  schedule_to_close_timeout: timeoutOrExpression.optional().meta({ description: "Longest time over all attempts." }),
  heartbeat_timeout: timeoutOrExpression.optional().meta({ description: "Longest time between two heartbeats." }),
  limit: limit.optional().meta({
    description: "Attempts wait until the limit has a slot for them. At most one limit for a task.",
  }),
  on_reject: z
    .enum(["fail", "continue"])
    .optional()
    .meta({ description: "For approvals: whether a rejection fails the task; fail by default." }),
};

const onError = z
  .enum(["fail", "continue"])
  .optional()
  .meta({ description: "continue: a failure counts as success with null output." });

const TRIGGER_RULES = ["all_success", "none_failed", "all_done", "one_success"] as const;

/** A child of `parallel` or `map`. */
export const childSchema = keyed({ ...executable, on_error: onError });

/** A compensation task of an FSM flow. */
export const compensationSchema = keyed({ id, ...executable, on_error: onError });

/** The task of an FSM state. */
export const stateTaskSchema = keyed({ ...executable, on_error: onError });

/** A task of a DAG flow. */
export const taskSchema = keyed({
  id: id.meta({ description: "Unique in the flow." }),
  external_id: externalId.optional().meta({
    description:
      "The id by which executors, tables, and metrics know the task: any text of up to 255 characters, unique in the flow; the id by default. Expressions may name the task by both.",
  }),
  ...executable,
  depends_on: ids.optional().meta({ description: "Tasks that come before this one." }),
  trigger_rule: z
    .enum(TRIGGER_RULES)
    .optional()
    .meta({ description: "When a task with dependencies may run; all_success by default." }),
  on_success: ids.optional().meta({ description: "For the type condition: tasks that run if it is true." }),
  on_failure: ids.optional().meta({ description: "For the type condition: tasks that run if it is false." }),
  on_error: onError,
  compensate_with: id.optional().meta({ description: "The task that undoes this one." }),
});

const to = id.meta({ description: "The next state." });

/** A state of an FSM flow. */
const stateSchema = keyed({
  id: id.meta({ description: "Unique in the flow." }),
  name: title.optional(),
  description: description.optional(),
  task: stateTaskSchema.optional().meta({ description: "What the state does on entry." }),
  transitions: z
    .array(keyed({ when: predicate.optional(), to }))
    .max(100)
    .optional()
    .meta({ description: "Tried in order when the task has completed; the first that matches is taken." }),
  on: z
    .array(keyed({ signal: signalName, when: predicate.optional(), to }))
    .max(100)
    .optional()
    .meta({ description: "Transitions by signals." }),
  after: z
    .array(
      keyed({ delay: durationOrExpression.meta({ description: "Counted from entry; may be an expression." }), to }),
    )
    .max(100)
    .optional()
    .meta({ description: "Transitions by time." }),
  on_error: z
    .array(keyed({ match: z.union([errorType, z.array(errorType).min(1).max(100)]).optional(), to }))
    .max(100)
    .optional()
    .meta({ description: "Transitions by the type of the task's final error; without match: any." }),
  final: z.enum(["completed", "failed"]).optional().meta({ description: "The run ends here, with this outcome." }),
  compensate_with: id.optional().meta({ description: "The compensation task that undoes the state's task." }),
});

/** What can be done for a run that nobody works on any more. */
const RECOVERY_STRATEGIES = ["resume", "restart", "fail"] as const;

const recovery = keyed({
  strategy: z.enum(RECOVERY_STRATEGIES).optional().meta({
    description: "resume (the default) hands the work out again, restart starts another run, fail ends the run.",
  }),
  idle_after: duration
    .refine((value) => !isZeroDuration(value), { error: ZERO_TIMEOUT })
    .optional()
    .meta({ description: "How long nothing may happen while somebody works on a task; 30m by default." }),
});

const { timeout: _, ...ofRuns } = limit.shape;

/** Of a run: its wait ends with the timeout of the run. */
const runLimit = keyed(ofRuns);

const workflow = keyed({
  id: id.optional(),
  name: title.optional(),
  description: description.optional(),
  timeout: timeoutOrExpression.optional().meta({ description: "Longest time of a run; `${…}` reads the variables." }),
  variables: z
    .record(variableName, z.json())
    .optional()
    .meta({ description: "Further variables, computed from the declared ones when a run starts." }),
  signals: z
    .record(signalName, keyed({ description: description.optional(), schema: jsonSchema.optional() }))
    .optional()
    .meta({
      description: "Schemas of the data of signals, by name. A signal with other data is refused when it is sent.",
    }),
  recovery: recovery.optional().meta({
    description: "What happens when nothing is heard any more of work that is done elsewhere; nothing by default.",
  }),
  limit: runLimit.optional().meta({
    description: "A run is QUEUED until the limit has a slot for it; the key reads the variables.",
  }),
  budget: budget.optional().meta({
    description:
      "What a run and its child runs may spend. A run that needs more is SUSPENDED until its budget is raised.",
  }),
  tasks: z.array(taskSchema).min(1).max(MAX_TASKS).optional().meta({ description: "Tasks of a DAG flow." }),
  fail_fast: z
    .boolean()
    .optional()
    .meta({ description: "Whether the first failure cancels everything that is open; false by default." }),
  states: z.array(stateSchema).min(1).max(MAX_TASKS).optional().meta({ description: "States of an FSM flow." }),
  initial: id.optional().meta({ description: "The first state; the first of the list by default." }),
  max_transitions: z
    .int()
    .min(1)
    .max(1_000_000)
    .optional()
    .meta({ description: `Largest number of transitions of a run; ${DEFAULT_MAX_TRANSITIONS} by default.` }),
  compensations: z
    .array(compensationSchema)
    .max(MAX_TASKS)
    .optional()
    .meta({ description: "Compensation tasks of an FSM flow." }),
  graph: z
    .string()
    .regex(GRAPH_NAME_PATTERN, {
      error: "expected the name of a graph: a letter, _ or $, then at most 127 letters, digits, _, $ and -",
    })
    .optional()
    .meta({ description: "Registered name of a LangGraph graph, instead of tasks and states." }),
  attempt_timeout: timeoutOrExpression
    .optional()
    .meta({ description: "Longest time of one attempt of the graph; the limit of the service by default." }),
  retry_policy: retryPolicy
    .optional()
    .meta({ description: "How often the graph is retried, from its last checkpoint; 3 retries by default." }),
  output: z.json().optional().meta({ description: "The run's output; values may contain `${…}`." }),
});

export const flowSchema = keyed({
  id: id.meta({ description: "Id of the flow." }),
  name: title.optional().meta({ description: "Name for people; the id by default." }),
  description: description.optional(),
  category: z.string().max(128).optional().meta({ description: "Group in lists." }),
  version: versionText.optional().meta({ description: "Version, always text; derived from the content by default." }),
  variables: z.array(variable).max(MAX_VARIABLES).optional().meta({ description: "Input of a run." }),
  workflow: workflow.meta({ description: "What runs: tasks, states, or a graph." }),
});

/** A flow document with a valid shape. */
export type FlowDocument = z.infer<typeof flowSchema>;
/** The part of a flow that a run executes. */
export type Workflow = FlowDocument["workflow"];
/** The declaration of a variable. */
export type VariableDocument = z.infer<typeof variable>;
/** A task of a DAG flow as written. */
export type TaskDocument = z.infer<typeof taskSchema>;
/** A state as written. */
export type StateDocument = z.infer<typeof stateSchema>;
/** What tasks, children, compensations, and state tasks have in common. */
export type ExecutableDocument = z.infer<typeof childSchema>;
/** A limit as written. */
export type LimitDocument = z.infer<typeof limit>;
/** A retry policy as written. */
export type RetryDocument = z.infer<typeof retryPolicy>;
