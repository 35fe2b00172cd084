/** FlowService: dry runs. */
import { refuseField } from "../../base/field-error.ts";
import type { DryFlow, DryRuns, Mock } from "../../engine/ports/dry-run/dry-runs.ts";
import type { DryRunFlowRequest, FlowService } from "../../gen/orchestrator/v1/flow_service_pb.ts";
import type { ServiceHandlers } from "../calls/call.ts";
import { fromDryRunResult, toDryRun } from "../mapping/flows/dry-run.ts";
import { fromObjectPayload, type PayloadLimits } from "../mapping/payload.ts";
import { type DefinitionNeeds, readDefinition } from "./flow-definitions.ts";

export interface DryRunNeeds {
  readonly dryRuns: DryRuns;
  readonly limits: DefinitionNeeds["limits"] & PayloadLimits;
}

/** The method of FlowService that plays flows. */
export function createFlowDryRuns({
  dryRuns,
  limits,
}: DryRunNeeds): Pick<ServiceHandlers<typeof FlowService>, "dryRunFlow"> {
  const readFlow = ({ definition, version }: DryRunFlowRequest): DryFlow => {
    if (definition.case === "flowId") return { flowId: definition.value, version };
    if (version !== "") refuseField("version", "only a registered flow is read by its version; set flow_id");
    return readDefinition(definition, limits);
  };
  return {
    async dryRunFlow(request, { caller, signal }) {
      const flow = readFlow(request);
      const input = fromObjectPayload(request.inputValue, "input", limits);
      const results = Object.entries(request.results).map(([id, result]): [string, Mock] => [
        id,
        fromDryRunResult(result, `results.${id}`, limits),
      ]);
      const report = await dryRuns.dryRun(caller, { flow, input, mocks: new Map(results) }, signal);
      return toDryRun(report);
    },
  };
}
