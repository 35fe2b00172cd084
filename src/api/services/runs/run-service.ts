/** RunService. Its methods are in run-steering.ts, run-tasks.ts, run-lists.ts, and run-watch.ts. */
import type { FlowRegistry } from "../../../flows/ports/registry.ts";
import { RunService } from "../../../gen/orchestrator/v1/run_service_pb.ts";
import { defineService } from "../../calls/services.ts";
import { createPlanIndexOf } from "./plan-index-of.ts";
import { createRunDiagnosis, type DiagnosisNeeds } from "./run-diagnosis.ts";
import { createRunLists, type ListingNeeds } from "./run-lists.ts";
import { createRunSteering, type SteeringNeeds } from "./run-steering.ts";
import { createRunTasks } from "./run-tasks.ts";
import { createRunWatch, type WatchNeeds } from "./run-watch.ts";

interface Needs extends Omit<SteeringNeeds & ListingNeeds & WatchNeeds & DiagnosisNeeds, "planIndexOf"> {
  readonly flows: Pick<FlowRegistry, "planByHash">;
}

export const runService = defineService(RunService, (needs: Needs) => {
  const all = { ...needs, planIndexOf: createPlanIndexOf(needs.flows) };
  return {
    ...createRunSteering(all),
    ...createRunTasks(all),
    ...createRunLists(all),
    ...createRunWatch(all),
    ...createRunDiagnosis(all),
  };
});
