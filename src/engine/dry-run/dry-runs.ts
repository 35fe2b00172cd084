/**
 * Dry runs at a service: one at a time. Those that wait come by turns: calls and steps of the service, of each the
 * tenants, and of a tenant its callers, so that one who asks for many takes the time of one.
 */
import { fail } from "../../base/errors.ts";
import type { FlowRegistry } from "../../flows/ports/registry.ts";
import type { DryFlow, DryRunOrder, DryRunReport, DryRuns } from "../ports/dry-run/dry-runs.ts";
import type { ModelEstimates } from "../ports/models/estimates.ts";
import { dryRun } from "./dry-run.ts";
import { createRotation } from "./rotation.ts";

/** Most calls that wait for their turn, of a caller and of a tenant. */
const MAX_OF_CALLER = 4;
const MAX_OF_TENANT = 32;

export interface DryRunParts {
  readonly flows: Pick<FlowRegistry, "compile" | "getFlow" | "planFor">;
  readonly estimates: ModelEstimates;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** Creates them. */
export function createDryRuns({ flows, estimates, now }: DryRunParts): DryRuns {
  const waiting = createRotation<() => Promise<void>>();
  let isBusy = false;

  const next = (): void => {
    const turn = isBusy ? undefined : waiting.take();
    if (turn === undefined) return;
    isBusy = true;
    void turn().finally(() => {
      isBusy = false;
      next();
    });
  };

  const read = async (tenantId: string, flow: DryFlow) => {
    if (!("flowId" in flow)) return flows.compile(tenantId, flow);
    const { flowId, version, document } = await flows.getFlow(tenantId, flow.flowId, flow.version);
    return { plan: await flows.planFor(tenantId, flowId, version), document };
  };

  const play = async (tenantId: string, { flow, input, mocks }: DryRunOrder, signal: AbortSignal) => {
    const { plan, document } = await read(tenantId, flow);
    return dryRun({ plan, document, input, mocks, estimates, now: now(), signal });
  };

  const playInTurn = (keys: readonly string[], tenantId: string, order: DryRunOrder, signal: AbortSignal) =>
    new Promise<DryRunReport>((resolve, reject) => {
      signal.throwIfAborted();
      const onAbort = (): void => {
        waiting.remove(keys, turn);
        reject(signal.reason);
      };
      const turn = (): Promise<void> => {
        signal.removeEventListener("abort", onAbort);
        return play(tenantId, order, signal).then(resolve, reject);
      };
      signal.addEventListener("abort", onAbort, { once: true });
      waiting.add(keys, turn);
      next();
    });

  return {
    async dryRun({ tenantId, actor }, order, signal) {
      const keys = ["calls", tenantId, actor];
      if (waiting.sizeOf(keys) >= MAX_OF_CALLER)
        fail("OVERLOADED", { what: `${MAX_OF_CALLER} dry runs of a caller that wait` });
      if (waiting.sizeOf(keys.slice(0, 2)) >= MAX_OF_TENANT)
        fail("OVERLOADED", { what: `${MAX_OF_TENANT} dry runs that wait` });
      return playInTurn(keys, tenantId, order, signal);
    },
    dryRunForStep: (tenantId, order, signal) => playInTurn(["steps", tenantId], tenantId, order, signal),
  };
}
