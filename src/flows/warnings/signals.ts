import type { Json } from "../../base/json/json.ts";
import { suggest } from "../../tasks/schema/suggest.ts";
import { holdsExpression } from "../interpolation/template.ts";
import type { WarningCheck } from "./warning.ts";

/**
 * Warns about declared signals that nothing waits for: their schema has no effect, and the real signal is not checked.
 */
export const checkSignalsAreUsed: WarningCheck = ({ document, tasks }, report) => {
  const { workflow } = document;
  // A graph decides at run time what it waits for.
  if (workflow.signals === undefined || workflow.graph !== undefined) return;
  const used = new Set((workflow.states ?? []).flatMap((state) => (state.on ?? []).map(({ signal }) => signal)));
  for (const { id, type, task } of tasks) {
    if (type !== "signal") continue;
    const { name = id } = (task.parameters ?? {}) as Record<string, Json>;
    // An expression that is evaluated later.
    if (typeof name !== "string" || holdsExpression(name)) return;
    used.add(name);
  }
  for (const name of Object.keys(workflow.signals)) {
    if (used.has(name)) continue;
    report(
      "SIGNAL_UNUSED",
      ["workflow", "signals", name],
      `nothing waits for the signal "${name}"${suggest(name, [...used])}`,
      "correct the name or remove the declaration",
    );
  }
};
