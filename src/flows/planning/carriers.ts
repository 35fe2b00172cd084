/** How the tasks of a plan leave at a service that may lack a carrier. */
import type { Carrier, TaskType } from "../../tasks/define.ts";
import { TASK_TYPES } from "../../tasks/index.ts";
import type { Plan } from "../plan.ts";
import { mapTasks } from "./map-tasks.ts";

/** The plan, with tasks of carriers that are not served on those that take their place. */
export function withCarriers(plan: Plan, served: ReadonlySet<Carrier>): Plan {
  return mapTasks(plan, (spec) => {
    const { leaving }: TaskType = TASK_TYPES[spec.type];
    if (leaving?.otherwise === undefined || served.has(leaving.carrier)) return spec;
    return { ...spec, carrier: leaving.otherwise };
  });
}
