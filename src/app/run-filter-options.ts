/** Options of commands that choose runs, and the filter of the contract that they lead to. */
import type { Command } from "commander";
import { fail } from "../base/errors.ts";

/** The options as they were given. */
export interface FilterOptions {
  readonly filter?: string;
  readonly state?: readonly string[];
  readonly flow?: string;
  readonly label?: readonly string[];
}

const collect = (value: string, before: readonly string[] | undefined): readonly string[] => [...(before ?? []), value];

/** Adds the options. */
export function addFilterOptions(command: Command): Command {
  return command
    .option("--filter <cel>", 'for instance: state in ["FAILED", "TIMED_OUT"] && labels["team"] == "billing"')
    .option("--state <state>", "only runs in this state, may be repeated", collect)
    .option("--flow <id>", "only runs of this flow")
    .option("--label <name=value>", "only runs with this label, may be repeated", collect);
}

/** One filter of the contract; empty when no option was given. */
export function toFilter({ filter, state, flow, label }: FilterOptions): string {
  const text = JSON.stringify;
  const labels = (label ?? []).map((one) => {
    const equals = one.indexOf("=");
    if (equals < 1) fail("INVALID_REQUEST", { problem: `--label ${one}: write name=value`, field: "label" });
    return `labels[${text(one.slice(0, equals))}] == ${text(one.slice(equals + 1))}`;
  });
  const parts = [
    ...(filter === undefined ? [] : [`(${filter})`]),
    ...(state === undefined ? [] : [`state in [${state.map((one) => text(one.toUpperCase())).join(", ")}]`]),
    ...(flow === undefined ? [] : [`flow_id == ${text(flow)}`]),
    ...labels,
  ];
  return parts.join(" && ");
}
