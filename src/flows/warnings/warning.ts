/**
 * Warnings: what is accepted at registration but most likely not what its author intended. They never refuse a flow.
 */
import type { Path } from "../document/parse.ts";
import type { VariableDocument } from "../document/schema.ts";
import type { FlowView } from "./view.ts";

/** Every warning code with one line for the documentation. Codes are stable: never renamed, never reused. */
export const WARNING_CODES = {
  COMPENSATES_NOTHING: "`compensate_with` on a task that changes nothing: `transform` and `condition`.",
  ERROR_TYPE_UNKNOWN:
    "`match` or `non_retryable` names an error type that no task of this type fails with, most often a typo.",
  EXPRESSION_TYPE_MISMATCH:
    "An expression combines values of incompatible types, so that it fails or is always true or false. Types come from declared variables and from known outputs.",
  GROUP_OUTPUT_MISREAD:
    "An expression reads the output of a `parallel` or `map` as a list. The list is `tasks.id.outputs`.",
  PATTERN_INVALID: "A constant pattern of `matches` is not a regular expression in RE2 syntax.",
  GATE_DENIES_CALL:
    "The gate policy of the service denies a call of the flow in every run, as far as its target is constant.",
  GRAPH_NOT_LOADED:
    "The flow names a graph that this service has not loaded. StartRun refuses the flow until it is loaded.",
  KEY_WITHOUT_EFFECT:
    "A key is accepted and changes nothing where it stands: `workflow.id`, a `trigger_rule` without dependencies, an exit after one that is always taken.",
  SIGNAL_UNUSED: "`workflow.signals` declares a signal that no task and no state waits for.",
  SUBFLOW_UNKNOWN: "A `subflow` task names a flow, or a version of one, that is not registered.",
  SUBFLOW_INPUT_INVALID:
    "A `subflow` task omits a required variable of the flow it names, or sets one that the flow does not declare.",
  TARGET_NEVER_RUNS:
    "A condition names a task on a side where it never runs, because it needs a task of the other side.",
} as const satisfies Record<string, string>;

/** Code of a warning. */
export type WarningCode = keyof typeof WARNING_CODES;

/** One warning, with its place in the definition. */
export interface FlowWarning {
  readonly code: WarningCode;
  /** Path in the definition, for instance `workflow.tasks[2].on_error[0].match`. */
  readonly path: string;
  /** 1-based line in the source text, if there is one. */
  readonly line?: number;
  /** 1-based column in the source text, if there is one. */
  readonly column?: number;
  /** What is suspicious, one sentence without a period. */
  readonly message: string;
  /** What to write instead, one sentence without a period. */
  readonly cure: string;
}

/** What a task would call, as far as its flow says it without an expression. */
export interface PlannedCall {
  readonly flowId: string;
  readonly type: string;
  /** Null: none, or an expression names it. */
  readonly service: string | null;
  /** Null: none, or an expression gives it. */
  readonly origin: string | null;
  /** As `provider/model`; null: none, or one of them is not named. */
  readonly models: readonly string[] | null;
}

/** What checks may ask about the service that the flow is for. */
export interface FlowWorld {
  /**
   * Declared variables of a registered flow; null if the flow or the version is not registered. An empty version means
   * the latest.
   */
  variablesOf(flowId: string, version: string): Promise<readonly VariableDocument[] | null>;
  /** Names of the loaded graphs; undefined if unknown. */
  readonly graphs: ReadonlySet<string> | undefined;
  /** Why the gate denies a call, whatever else it has; null: it may be made. Absent: unknown. */
  readonly whyDenied?: (call: PlannedCall) => string | null;
}

/** Adds a warning at a place. */
export type Report = (code: WarningCode, path: Path, message: string, cure: string) => void;

/**
 * A check for one kind of warning. The flow has passed every check of registration. If a check is not sure, it reports
 * nothing: a false alarm costs more than a missed one. `world` is undefined if a flow is checked without a service.
 */
export type WarningCheck = (view: FlowView, report: Report, world: FlowWorld | undefined) => void | Promise<void>;
