import { judgeFlow } from "../../../../src/flows/compile.ts";
import type { FlowWarning, FlowWorld } from "../../../../src/flows/warnings/warning.ts";

/** A service with one graph, `review`, and the flow `child` that requires `a` and takes `b`. */
export const WORLD: FlowWorld = {
  graphs: new Set(["review"]),
  variablesOf: async (flowId, version) =>
    flowId === "child" && (version === "" || version === "1")
      ? [{ name: "a", required: true }, { name: "b", required: true, default: 1 }, { name: "c" }]
      : null,
};

/** Warnings of a flow without problems. */
export async function warningsOf(text: string, world?: FlowWorld): Promise<readonly FlowWarning[]> {
  const { problems, warnings } = await judgeFlow({ text }, world);
  if (problems.length > 0) throw new Error(JSON.stringify(problems));
  return warnings;
}

/** `CODE path: message` of each warning. */
export async function linesOf(text: string, world?: FlowWorld): Promise<readonly string[]> {
  return (await warningsOf(text, world)).map(({ code, path, message }) => `${code} ${path}: ${message}`);
}

/** A flow with tasks, each a line of YAML. */
export function tasks(...lines: string[]): string {
  return `id: f\nworkflow:\n  tasks:\n${lines.map((line) => `    - ${line}\n`).join("")}`;
}
