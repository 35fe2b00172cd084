/** FlowService. Its methods are in flow-definitions.ts, flow-lists.ts, and flow-dry-runs.ts. */
import { FlowService } from "../../gen/orchestrator/v1/flow_service_pb.ts";
import { defineService } from "../calls/services.ts";
import { createFlowDefinitions, type DefinitionNeeds } from "./flow-definitions.ts";
import { createFlowDryRuns, type DryRunNeeds } from "./flow-dry-runs.ts";
import { createFlowLists, type FlowListNeeds } from "./flow-lists.ts";

/** Flows: register, read, list, play. */
export const flowService = defineService(FlowService, (needs: DefinitionNeeds & FlowListNeeds & DryRunNeeds) => ({
  ...createFlowDefinitions(needs),
  ...createFlowLists(needs),
  ...createFlowDryRuns(needs),
}));
