/** Dry runs at a service: one at a time, so that those who ask for many share the share of one. */
import { fail } from "../../base/errors.ts";
import type { FlowRegistry } from "../../flows/ports/registry.ts";
import type { DryFlow, DryRuns } from "../ports/dry-run/dry-runs.ts";
import type { ModelEstimates } from "../ports/models/estimates.ts";
import { dryRun } from "./dry-run.ts";

/** Most dry runs that wait for their turn. */
const MAX_WAITING = 32;

export interface DryRunParts {
  readonly flows: Pick<FlowRegistry, "compile" | "getFlow" | "planFor">;
  readonly estimates: ModelEstimates;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** Creates them. */
export function createDryRuns({ flows, estimates, now }: DryRunParts): DryRuns {
  let last: Promise<unknown> = Promise.resolve();
  let open = 0;

  const read = async (tenantId: string, flow: DryFlow) => {
    if (!("flowId" in flow)) return flows.compile(tenantId, flow);
    const { flowId, version, document } = await flows.getFlow(tenantId, flow.flowId, flow.version);
    return { plan: await flows.planFor(tenantId, flowId, version), document };
  };

  return {
    async dryRun(tenantId, { flow, input, mocks }, signal) {
      if (open > MAX_WAITING) fail("OVERLOADED", { what: `${MAX_WAITING} dry runs that wait` });
      open += 1;
      const turn = last.then(async () => {
        signal.throwIfAborted();
        const { plan, document } = await read(tenantId, flow);
        return dryRun({ plan, document, input, mocks, estimates, now: now(), signal });
      });
      // The caller gets the error.
      last = turn.catch(() => {}).finally(() => (open -= 1));
      return turn;
    },
  };
}
