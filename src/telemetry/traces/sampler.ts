/** The samplers of OpenTelemetry's environment variables. */
import { parseTraceparent } from "../../base/traces/trace-context.ts";

/** Decides whether a new trace, or the one that the caller names, is sampled. */
export type Sampler = (traceId: string, caller: string | undefined) => boolean;

/** Creates the sampler of a name such as `parentbased_traceidratio`; `share` is for those with a ratio. */
export function createSampler(name: string, share: number): Sampler {
  const bound = share * 2 ** 52;
  const isTaken = (traceId: string): boolean => {
    if (name.endsWith("always_on")) return true;
    if (name.endsWith("always_off")) return false;
    // The last digits: they are random in every trace id.
    return Number.parseInt(traceId.slice(-13), 16) < bound;
  };
  if (!name.startsWith("parentbased_")) return isTaken;
  return (traceId, caller) => (caller === undefined ? null : parseTraceparent(caller))?.sampled ?? isTaken(traceId);
}
