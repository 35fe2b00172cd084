import type { Json, JsonObject } from "../../../src/base/json/json.ts";
import type { Scope } from "../../../src/flows/plan.ts";

/** A scope with given variables and outputs of tasks. */
export function scopeWith(
  vars: JsonObject,
  outputs: Readonly<Record<string, Json>> = {},
  more: Partial<Scope> = {},
): Scope {
  return {
    vars,
    run: { run_id: "run-1", labels: {} },
    task: (id) =>
      Object.hasOwn(outputs, id)
        ? { output: outputs[id] as Json, outputs: null, state: "COMPLETED", error: null, attempt: 1 }
        : undefined,
    ...more,
  };
}
