/** The port of a registry of flows that somebody else keeps, and that is only read. */
import type { Json } from "../../base/json/json.ts";

/** What the registry says: the definition of a flow, null if it has none, or why it says nothing now. */
export type OutsideAnswer = { readonly definition: Json | null } | { readonly away: string };

/** What is asked of the registry. */
export interface OutsideRegistry {
  /** The latest version of a flow. An answer may be a minute old. Never rejects. */
  find(flowId: string): Promise<OutsideAnswer>;
}
