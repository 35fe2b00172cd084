/** Filters over runs: the fields of lists, counts, and watches, and the conversion to a filter of the store. */
import { rootOf } from "../../base/ids.ts";
import type { Filter, FilterField, RunHeader } from "../../engine/ports/run-index.ts";
import { BUILT_IN_FLOWS } from "../../flows/builtin/ids.ts";
import { RUN_PHASE, RUN_STATE } from "../mapping/enums.ts";
import type { Condition, FieldRef, FieldTable, ReadField } from "./condition.ts";
import { parseFilter } from "./filter.ts";

const STATES = Object.keys(RUN_STATE);
const PHASES = Object.keys(RUN_PHASE);

/** States of runs in the phase RUNNING. */
const RUNNING_STATES = ["RUNNING", "WAITING", "PAUSED", "SUSPENDED", "QUARANTINED"];

const FIELDS: FieldTable = {
  run_id: { kind: "text" },
  flow_id: { kind: "text" },
  version: { kind: "text" },
  state: { kind: "state", values: STATES, prefix: "RUN_STATE_" },
  phase: { kind: "state", values: PHASES, prefix: "RUN_PHASE_" },
  run_key: { kind: "text" },
  user_id: { kind: "text" },
  correlation_id: { kind: "text" },
  parent_run_id: { kind: "text" },
  root_run_id: { kind: "id" },
  create_time: { kind: "time" },
  update_time: { kind: "time" },
  end_time: { kind: "time" },
  labels: { kind: "map" },
};

/**
 * Parses a filter over runs. Runs of flows that the service itself brings meet only filters that name flows or runs.
 * Error: FILTER_INVALID.
 */
export function parseRunFilter(text: string): Condition {
  const condition = parseFilter(text, FIELDS);
  if (condition === null) return USERS_ONLY;
  return namesSome(condition) ? condition : { op: "and", args: [condition, USERS_ONLY] };
}

const USERS_ONLY: Condition = {
  op: "and",
  args: BUILT_IN_FLOWS.map((value): Condition => ({ op: "!=", field: { name: "flow_id" }, value })),
};

/** Fields by which somebody names runs of such flows. */
const NAMING = new Set(["flow_id", "run_id", "root_run_id"]);

function namesSome(condition: Condition): boolean {
  switch (condition.op) {
    case "and":
    case "or":
      return condition.args.some(namesSome);
    case "not":
      return namesSome(condition.arg);
    default:
      return NAMING.has(condition.field.name);
  }
}

/** Converts a condition to a filter of the store. */
export function toStoreFilter(condition: Condition): Filter {
  switch (condition.op) {
    case "and":
    case "or":
      return { op: condition.op, args: condition.args.map(toStoreFilter) };
    case "not":
      return { op: "not", arg: toStoreFilter(condition.arg) };
    case "contains":
      throw new Error("runs have no lists");
    case "has":
      // Every run has these fields; only labels and the end time can be missing.
      if (condition.field.name !== "labels" && condition.field.name !== "end_time") return ALL;
      return { op: "has", field: toField(condition.field) };
    case "in":
      if (condition.values.length === 0) return NOTHING;
      if (isDerived(condition.field))
        return anyOf(condition.values.map((value) => toDerived(condition.field, String(value))));
      return { op: "in", field: toField(condition.field), values: condition.values as (string | number)[] };
    default: {
      const { field, op } = condition;
      if (!isDerived(field)) return { op, field: toField(field), value: condition.value as string | number };
      const same = toDerived(field, String(condition.value));
      return op === "!=" ? { op: "not", arg: same } : same;
    }
  }
}

/** Reads fields of a run for {@link meetsCondition}. */
export function readHeader(header: RunHeader): ReadField {
  return ({ name, key }) => {
    switch (name) {
      case "run_id":
        return header.runId;
      case "flow_id":
        return header.flowId;
      case "version":
        return header.version;
      case "state":
        return header.state;
      case "phase":
        return RUNNING_STATES.includes(header.state) ? "RUNNING" : header.state;
      case "run_key":
        return header.runKey;
      case "user_id":
        return header.userId;
      case "correlation_id":
        return header.correlationId;
      case "parent_run_id":
        return header.parentRunId;
      case "root_run_id":
        return rootOf(header.runId);
      case "create_time":
        return header.createdAt;
      case "update_time":
        return header.updatedAt;
      case "end_time":
        return header.endedAt ?? undefined;
      default:
        return key !== undefined && Object.hasOwn(header.labels, key) ? header.labels[key] : undefined;
    }
  };
}

const NOTHING: Filter = { op: "in", field: { name: "state" }, values: [] };
const ALL: Filter = { op: "has", field: { name: "state" } };

function anyOf(filters: readonly Filter[]): Filter {
  return { op: "or", args: filters };
}

function isDerived(field: FieldRef): boolean {
  return field.name === "phase" || field.name === "root_run_id";
}

/**
 * Fields with another form in the store: a phase is a set of states, and the id of a root is a prefix of its children's
 * ids.
 */
function toDerived(field: FieldRef, value: string): Filter {
  if (field.name === "phase")
    return { op: "in", field: { name: "state" }, values: value === "RUNNING" ? RUNNING_STATES : [value] };
  if (rootOf(value) !== value) return NOTHING;
  const name = { name: "run_id" } as const;
  const below = (from: string, to: string): Filter => ({
    op: "and",
    args: [
      { op: ">=", field: name, value: value + from },
      { op: "<", field: name, value: value + to },
      { op: "!=", field: { name: "parent_run_id" }, value: "" },
    ],
  });
  // The second range has children from older releases.
  return anyOf([{ op: "==", field: name, value }, below("~", "\u007f"), below(":", ";")]);
}

function toField(field: FieldRef): FilterField {
  return field.name === "labels"
    ? { name: "labels", key: field.key ?? "" }
    : ({ name: field.name as Exclude<FilterField["name"], "labels"> } as FilterField);
}
