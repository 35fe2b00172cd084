/** Options that select runs, and their conversion to a filter of the contract. */
import { type Command, Option } from "commander";
import { fail } from "../../base/errors.ts";
import { RunStateSchema } from "../../gen/orchestrator/v1/run_pb.ts";
import { CompletedOption } from "../completion/completed.ts";
import { collect } from "./collect.ts";

export interface FilterOptions {
  readonly filter?: string;
  readonly state?: readonly string[];
  readonly flow?: string;
  readonly label?: readonly string[];
}

const STATES = RunStateSchema.values.filter(({ number }) => number !== 0).map(({ localName }) => localName);

export function addFilterOptions(command: Command): Command {
  return command
    .option("--filter <cel>", 'for example: state in ["FAILED", "TIMED_OUT"] && labels["team"] == "billing"')
    .addOption(
      // The service checks states in any letter case; the list is for help and completion.
      new Option("--state <state>", "only runs in this state, repeatable").choices(STATES).argParser(collect),
    )
    .addOption(new CompletedOption("--flow <flow>", "only runs of this flow", "flow"))
    .option("--label <name=value>", "only runs with this label, repeatable", collect);
}

/** The filter of the contract; empty without options. */
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
