/**
 * Every metric of the product: name, kind, labels, help. Names never change: dashboards and alerts use them. Labels
 * never carry tenants or runs.
 * The names without `orchestrator_` and those marked "seed" are fixed by the systems that this product continues.
 */

import { CALL_SECONDS, counter, gauge, histogram, type MetricEntry, WORK_SECONDS } from "./metric-entry.ts";
import { OUTBOX_METRICS, RUNTIME_METRICS } from "./runtime-entries.ts";

/** How runs end. */
const RUN_ENDS = ["COMPLETED", "FAILED", "CANCELED", "TIMED_OUT", "TERMINATED"];
/** How tasks end. */
const TASK_ENDS = ["COMPLETED", "FAILED", "SKIPPED", "CANCELED", "TIMED_OUT", "COMPENSATED"];
/** Why tasks are dead letters. */
const DEAD_LETTER_REASONS = ["ATTEMPTS_EXHAUSTED", "NOT_RETRYABLE", "DEFERRED_TOO_LONG", "OUT_OF_TIME"];
/** States of circuit breakers. */
const BREAKER_STATES = ["CLOSED", "OPEN", "HALF_OPEN"];

/** What operations do to runs, how they end, and what came of each run. */
const OPERATION_ACTIONS = ["CANCEL", "TERMINATE", "RESUME", "DELETE"];
const OPERATION_ENDS = ["COMPLETED", "CANCELED", "FAILED"];
const OPERATION_RESULTS = ["DONE", "FAILED"];

/** What became of reports of workers. */
const REPORT_OUTCOMES = [
  "ACCEPTED",
  "CANCEL_REQUESTED",
  "REFUSED",
  "ALREADY_REPORTED",
  "OUTDATED",
  "UNKNOWN",
  "UNAVAILABLE",
];

/** Most names of limits that are counted apart. */
const MAX_LIMITS = 200;

/** Most combinations of provider, model, and another label that are counted apart. */
const MAX_MODEL_SERIES = 500;

/** How far goals are, paths at which they are submitted and read, and what goes wrong there. */
const GOAL_STATUSES = ["pending", "processing", "completed", "failed", "cancelled"];
const GOAL_ENDPOINTS = ["/submit", "/tasks/{task_id}", "/health", "/ready", "/metrics", "/"];
const GOAL_ERRORS = ["validation", "safety_check_failed", "not_found", "unavailable", "bad_request", "internal"];

/** Why a takeover holds a run. */
const BLAMES = ["KILLED", "BLOCKED"];

const GRPC = ["grpc_type", "grpc_service", "grpc_method"];

/** The table. */
export const METRICS = {
  // Calls, counted where handlers begin: what the transport refuses on its own burns no objective.
  grpc_server_started_total: counter("Calls that reached a handler.", GRPC),
  grpc_server_handled_total: counter("Calls that ended, by status.", [...GRPC, "grpc_code"]),
  grpc_server_msg_received_total: counter("Request messages.", GRPC),
  grpc_server_msg_sent_total: counter("Response messages, including those of streams.", GRPC),
  grpc_server_handling_seconds: histogram("Time from decoding to the answer.", CALL_SECONDS, GRPC),
  http_requests_total: counter("HTTP requests, by route and status.", ["service", "method", "route", "status"]),
  http_request_duration_seconds: histogram("Time of HTTP requests.", CALL_SECONDS, ["service", "method", "route"]),
  // Runs. The names without comment are the product's own.
  orchestrator_flow_runs_processed_total: counter(
    "Runs that ended, by outcome (seed). Canaries are not counted.",
    ["status"],
    RUN_ENDS,
  ),
  orchestrator_run_execution_seconds: histogram(
    "Time from start to end of runs (seed). Canaries are not counted.",
    WORK_SECONDS,
  ),
  orchestrator_active_runs: gauge("Runs that have not ended (seed). Of the whole database; one instance has it."),
  orchestrator_runs_started_total: counter(
    "Runs that were started, by when their first task may begin: now, or later, which is after a delay and, for goals, when somebody does them. Canaries are not counted.",
    ["begins"],
    ["now", "later"],
  ),
  orchestrator_open_runs: gauge("Runs that have not ended, by state. Of the whole database; one instance has it.", [
    "state",
  ]),
  orchestrator_overdue_runs: gauge(
    "Runs with something that has been due for 30 s or longer, at most 10,000. Of the whole database; one instance has it.",
  ),
  orchestrator_overdue_seconds: gauge(
    "How long the most overdue of them has waited. Of the whole database; one instance has it.",
  ),
  orchestrator_quarantined_runs_total: counter(
    "Runs that were put into quarantine. A run that could not be read counts again if it can be read later and its journal says so.",
  ),
  orchestrator_runs_blamed_total: counter(
    "Runs that a takeover put into quarantine because owners died while they were current (KILLED), or because an event loop stood still in them (BLOCKED).",
    ["reason"],
    BLAMES,
  ),
  // Operations
  orchestrator_operations_started_total: counter("Operations that were started.", ["action"], OPERATION_ACTIONS),
  orchestrator_operations_ended_total: counter("Operations that ended, by state.", ["state"], OPERATION_ENDS),
  orchestrator_operation_runs_total: counter(
    "Runs that operations processed: DONE as the action wants them, FAILED unchanged. A page that a crash repeats counts once.",
    ["result"],
    OPERATION_RESULTS,
  ),
  orchestrator_quarantined_operations_total: counter(
    "Operations that were put into quarantine because their journal cannot be read.",
  ),
  orchestrator_open_operations: gauge(
    "Operations in the store that have not ended. Of the whole database; one instance has it.",
  ),
  // Tasks
  orchestrator_tasks_scheduled_total: counter(
    "Tasks that began: dispatched, waiting, or done immediately (seed). Those of canaries are not counted.",
  ),
  orchestrator_tasks_completed_total: counter(
    "Tasks that ended, by status (seed). Those of canaries are not counted.",
    ["status"],
    TASK_ENDS,
  ),
  orchestrator_task_execution_seconds: {
    ...histogram(
      "Time of attempts, by handler (seed): the one that executors and workers know the task by, else the task type. Executors say it themselves, else it is the time from the start of the attempt. At most 200 handlers.",
      WORK_SECONDS,
      ["handler"],
    ),
    maxSeries: 200,
  },
  orchestrator_active_tasks: gauge(
    "Tasks that run or wait for an automatic retry (seed), of the runs that this instance owns. After a takeover, those of a run that only waits count once something happens to it.",
  ),
  orchestrator_retry_attempts_total: counter(
    "Attempts that will be retried, by task and handler (seed). At most 2,000 pairs.",
    ["task", "handler"],
  ),
  orchestrator_tool_calls_total: counter("Calls to tools, by task type and result.", ["type", "result"]),
  orchestrator_breaker_moves_total: counter(
    "State changes of circuit breakers, by new state.",
    ["state"],
    BREAKER_STATES,
  ),
  orchestrator_tool_overrides: gauge(
    "Overrides of breakers and bulkheads that are in force, as this instance knows them: OPEN, CLOSED, RESIZED.",
    ["kind"],
  ),
  orchestrator_task_reports_total: counter(
    "Reports of workers, by outcome; signs of life and progress count as well.",
    ["outcome"],
    REPORT_OUTCOMES,
  ),
  // Queues of worker tasks. The label has the names of queues, of all tenants: those with the most tasks, at most 200.
  orchestrator_queue_tasks: gauge(
    "Tasks in a queue: WAITING for a worker, DEFERRED because the queue is full or drained, HELD with their run. Of the whole database; one instance has it.",
    ["queue", "state"],
  ),
  orchestrator_queue_oldest_seconds: gauge(
    "How long the oldest task has waited for a worker. Of the whole database; one instance has it.",
    ["queue"],
  ),
  orchestrator_queue_unserved_tasks: gauge(
    "Tasks that have waited for 10 s or longer and that no worker can do. Of the whole database; one instance has it.",
    ["queue"],
  ),
  orchestrator_queue_workers: gauge("Workers that are connected to this instance and serve a queue.", ["queue"]),
  orchestrator_queue_slots: gauge("Slots of workers that are connected to this instance and serve a queue.", [
    "queue",
    "state",
  ]),
  // Limits. The label has the names of limits, of all tenants: those with the most tasks, at most 200. It has no keys.
  // Models
  orchestrator_ai_calls_total: {
    ...counter("Calls to providers of models that ended, by result: ok or the type of the error.", [
      ...["provider", "model", "result"],
    ]),
    maxSeries: MAX_MODEL_SERIES,
  },
  orchestrator_ai_tokens_total: {
    ...counter("Tokens that models read (input) and wrote (output), as far as providers report them.", [
      ...["provider", "model", "direction"],
    ]),
    maxSeries: MAX_MODEL_SERIES,
  },
  orchestrator_ai_cost_usd_total: {
    ...counter("Cost of calls to models that have a price, in dollars.", ["provider", "model"]),
    maxSeries: MAX_MODEL_SERIES,
  },
  orchestrator_ai_repeated_calls_total: counter(
    "Attempts of ai tasks that were made again after their instance was lost: a call may have been made twice.",
  ),
  orchestrator_ai_cache_lookups_total: counter("Looks for an answer in the cache.", ["result"], ["HIT", "MISS"]),
  orchestrator_model_process_starts_total: counter("Starts of the process that talks to providers of models."),
  orchestrator_model_process_resident_bytes: gauge("Memory of that process; 0 while there is none."),
  orchestrator_limit_tasks: gauge(
    "Tasks of a limit, of all its keys: WAITING for a slot, HELD a slot. Of the whole database; one instance has it.",
    ["limit", "state"],
  ),
  orchestrator_limit_oldest_seconds: gauge(
    "How long the first task has waited for a slot. Of the whole database; one instance has it.",
    ["limit"],
  ),
  orchestrator_limit_paused: gauge(
    "1 while a limit is paused as a whole. Of the whole database; one instance has it.",
    ["limit"],
  ),
  ...OUTBOX_METRICS,
  orchestrator_kafka_jumps_total: counter(
    "Positions in inbound topics that had to be moved: messages were lost or came again.",
    ["topic"],
  ),
  orchestrator_kafka_ignored_answers_total: counter(
    "Answers of executors that changed nothing: OTHER_ATTEMPT, BEFORE_ATTEMPT (and they name none), READ_AGAIN, or ATTEMPT_OVER.",
    ["reason"],
    ["OTHER_ATTEMPT", "BEFORE_ATTEMPT", "READ_AGAIN", "ATTEMPT_OVER"],
  ),
  // Limits, by name, of all tenants: at most 200 names.
  orchestrator_limit_grants_total: { ...counter("Slots that limits gave out.", ["limit"]), maxSeries: MAX_LIMITS },
  orchestrator_limit_wait_seconds: {
    ...histogram("Time that attempts waited for a slot of their limit.", WORK_SECONDS, ["limit"]),
    maxSeries: MAX_LIMITS,
  },
  orchestrator_budget_refusals_total: counter(
    "Calls to models and attempts that were not made for want of a budget, by what the budget is for, and what became of them.",
    ["scope", "result"],
    ["run", "flow", "tenant", "minute"],
    ["deferred", "held", "unpriced", "too_large"],
  ),
  orchestrator_budget_warnings_total: counter(
    "Budgets of which four fifths were used up, by what the budget is for.",
    ["scope"],
    ["run", "flow", "tenant"],
  ),
  orchestrator_budget_overrun_total: {
    ...counter("Calls to models that used more than they had reserved.", ["provider", "model"]),
    maxSeries: MAX_LIMITS,
  },
  orchestrator_budget_abandoned_calls_total: counter(
    "Calls to models whose end nobody knows, because their instance died: they are charged in full.",
  ),
  orchestrator_limit_slots_lost_total: counter(
    "Slots of limits that belonged to no open run, and were removed: a bug, or rows that somebody changed.",
  ),
  orchestrator_limit_slots_repaired_total: counter(
    "Slots of limits that differed from the journal of their run, and were written again: a bug, or rows that somebody changed.",
  ),
  orchestrator_handovers_total: counter("Tasks that were handed out to workers, durably.", ["queue"]),
  orchestrator_handover_returns_total: counter("Hand-overs that came to nothing, by reason.", ["queue", "reason"]),
  // Dead letters
  orchestrator_dead_letter_queue_size: gauge(
    "Dead letters in the store (seed). Of the whole database; one instance has it.",
  ),
  orchestrator_dead_letter_oldest_seconds: gauge(
    "How long the oldest dead letter has been there. Of the whole database; one instance has it.",
  ),
  orchestrator_dead_letters_total: counter(
    "Tasks that became dead letters, by reason.",
    ["reason"],
    DEAD_LETTER_REASONS,
  ),
  ...RUNTIME_METRICS,
  // Connections
  orchestrator_connected: gauge(
    "1 while what the service is connected to answers: `postgres`, `kafka`, `redis`, `reflex`.",
    ["to"],
  ),
  orchestrator_hot_states_total: counter(
    "States of runs for Redis: written, failed to be written (it is tried again), and dropped because Redis was away.",
    ["result"],
    ["written", "failed", "dropped"],
  ),
  orchestrator_agent_requests_total: counter(
    "Tasks that were published for agents: heard, heard by nobody, and not known to have arrived because Redis was away.",
    ["type", "result"],
  ),
  orchestrator_agent_answers_total: counter(
    "What agents said: accepted ends, progress, what came late or twice, unknown tokens, and what could not be understood.",
    ["type", "result"],
  ),
  orchestrator_redis_messages_total: counter(
    "Messages of channels and streams of Redis: received, applied, refused, claimed from an instance that died, and dropped because too many were kept for other instances.",
    ["source", "what"],
  ),
  orchestrator_trigger_events_total: counter(
    "Events that came for triggers, by what became of them: accepted, duplicate, filtered, unmatched, key_open, paused, unsigned, failed.",
    ["trigger", "outcome"],
  ),
  // The gate
  octollm_orchestrator_reflex_calls_total: counter(
    "Calls of Reflex that ended (seed).",
    ["result"],
    ["safe", "blocked", "error"],
  ),
  orchestrator_reflex_call_seconds: histogram(
    "Time of calls of Reflex, their tries and their time in line included.",
    CALL_SECONDS,
    ["result"],
    ["safe", "blocked", "error"],
  ),
  orchestrator_gate_seconds: histogram(
    "How long goals, and calls of tasks that the policy has rules for, waited for the gate: for a verdict, or for the word that there is none because Reflex is away.",
    CALL_SECONDS,
    ["checked", "result"],
    ["goal", "call"],
    ["verdict", "unavailable"],
  ),
  orchestrator_unshown_goals: gauge(
    "Goals whose last change the tables `tasks` and `task_results` do not show yet, because it has just happened, or because the tables are locked or refuse it. Of the whole database; one instance has it.",
  ),
  orchestrator_gate_checks_total: counter(
    "Goals that were checked, by the rule that decided, and verdict: allow, deny, or unavailable; with `shadow_` before it, it changed nothing. A rule that only reports counts apart.",
    ["rule", "verdict"],
    ["none"],
    ["allow"],
  ),
  orchestrator_gated_calls_total: counter(
    "Calls to tools that a policy denied, asked about, deferred (Reflex is away), or whose texts it redacted, by rule: a content rule, a kind of allow list, `arguments`, or `reflex`. With `shadow_` before the verdict, it changed nothing.",
    ["rule", "verdict"],
  ),
  // Generations
  orchestrator_generations_total: counter(
    "Templates that a model writes, when they enter a status.",
    ["status"],
    ["generating", "draft", "approved", "rejected", "failed"],
  ),
  // Goals
  octollm_orchestrator_tasks_total: counter("Goals that entered a status (seed).", ["status"], GOAL_STATUSES),
  octollm_orchestrator_api_requests_total: counter(
    "Requests to the paths of the merged goal service (seed).",
    ["endpoint"],
    GOAL_ENDPOINTS,
  ),
  octollm_orchestrator_errors_total: counter(
    "Errors of `/submit` and `/tasks/{task_id}` (seed).",
    ["type"],
    GOAL_ERRORS,
  ),
  // Canaries
  orchestrator_canary_runs_total: counter(
    "Canaries, by what became of them: they gave back their text, did not, had not ended after 10 s, or were not acknowledged.",
    ["outcome"],
    ["success", "failed", "late", "not_started"],
  ),
  orchestrator_canary_duration_seconds: histogram("Time from start to end of canaries that succeeded.", CALL_SECONDS),
  orchestrator_canary_last_success_timestamp_seconds: gauge(
    "When the last canary of this instance succeeded, seconds since 1970; 0: none has yet.",
  ),
  orchestrator_canary_interval_seconds: gauge("How often a canary is started; 0: never."),
  orchestrator_canary_lost_runs: gauge(
    "Canaries of the last hour that were acknowledged and have no row. Of the whole database; one instance has it.",
  ),
  // Traces
  orchestrator_trace_spans_total: counter(
    "Spans by what became of them: exported, failed (the collector was away or refused them), or dropped because too many waited.",
    ["result"],
    ["exported", "failed", "dropped"],
  ),
  orchestrator_trace_rebuilds_total: counter(
    "Runs that were not sampled and failed or were slow: their spans were made from the journal (rebuilt), could not be (failed), or were left out because there were too many (skipped).",
    ["result"],
    ["rebuilt", "failed", "skipped"],
  ),
  // Process
  orchestrator_watch_streams: gauge("Open streams."),
  orchestrator_watch_buffered_events: gauge(
    "Events, notes, and changed runs that wait in watches for their readers. A watch holds at most 10,000.",
  ),
  orchestrator_watch_buffer_bytes: gauge("Bytes that were sent on open streams and that readers have not taken yet."),
  orchestrator_unfinalized_versions: gauge(
    "Versions of the journal's format that instances read and that the upgrade is not finalized to: above 0, the release before can be started again. Of the whole database; one instance has it.",
  ),
  orchestrator_build_info: gauge("Always 1; the version is the label.", ["version"]),
} as const satisfies Readonly<Record<string, MetricEntry>>;

/** Name of a metric. */
export type MetricName = keyof typeof METRICS;

/** Names of the metrics of one kind. */
export type MetricNameOf<Kind extends MetricEntry["kind"]> = {
  [Name in MetricName]: (typeof METRICS)[Name]["kind"] extends Kind ? Name : never;
}[MetricName];
