import { fail } from "../../base/errors.ts";
import { HOPS_HEADER } from "../../base/net/hops.ts";
import type { CallContext } from "./call.ts";

/** A run's request to start a run is refused when this many led to it. */
const MAX_HOPS = 8;

/**
 * How many requests of runs led to this call; 0: no run made it, or its header is none of ours. Error: ROUTING_LOOP.
 */
export function hopsOf(call: Pick<CallContext, "header">): number {
  const text = call.header(HOPS_HEADER);
  const hops = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  return hops >= MAX_HOPS ? fail("ROUTING_LOOP", { hops, limit: MAX_HOPS }) : hops;
}
