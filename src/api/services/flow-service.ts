/** FlowService. Its methods are in flow-definitions.ts and flow-lists.ts. */
import { FlowService } from "../../gen/orchestrator/v1/flow_service_pb.ts";
import { defineService } from "../calls/services.ts";
import { createFlowDefinitions, type DefinitionNeeds } from "./flow-definitions.ts";
import { createFlowLists, type FlowListNeeds } from "./flow-lists.ts";

/** Flows: register, read, list. */
export const flowService = defineService(FlowService, (needs: DefinitionNeeds & FlowListNeeds) => ({
  ...createFlowDefinitions(needs),
  ...createFlowLists(needs),
}));
