import type { JsonObject } from "../../base/json/json.ts";
import type { LocalAdapter } from "../adapter.ts";

/** `noop`: returns its `output` parameter, or null. */
export function createNoopAdapter(): LocalAdapter {
  return {
    type: "noop",
    local: true,
    run: (call) => Promise.resolve({ ok: true, output: (call.input as JsonObject | null)?.output ?? null }),
  };
}
