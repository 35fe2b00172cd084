import { fail } from "../../base/errors.ts";
import { HOPS_HEADER } from "../../base/net/hops.ts";
import { readTraceContext, type TraceContext } from "../../base/traces/trace-context.ts";
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

/** What a start takes from the headers of its call. */
export interface Origin {
  readonly hops: number;
  readonly trace: TraceContext | null;
}

/** What led to this call, see {@link hopsOf}, and its position in a trace. */
export function originOf(call: Pick<CallContext, "header">): Origin {
  return { hops: hopsOf(call), trace: readTraceContext((name) => call.header(name)) };
}
