/** Parts of the flow grammar that this version does not implement. If accepted, they would fail or be ignored. */
import type { Json } from "../../base/json/json.ts";
import type { TaskType } from "../../tasks/define.ts";
import { isWritableTaskType, TASK_TYPES } from "../../tasks/index.ts";
import type { Problems } from "../document/problems.ts";
import type { FlowDocument } from "../document/schema.ts";
import { viewFlow } from "../warnings/view.ts";

/** Features of the parts around the engine. */
export interface Served {
  /** Whether something relays the events of `emit`. */
  readonly events: boolean;
  /** Whether `http` tasks can name registered services. */
  readonly services: boolean;
  /** Whether tasks are published for agents. */
  readonly agents: boolean;
  /** Whether the limits of `workflow.budget` are enforced. */
  readonly budgets: boolean;
}

/** Everything that the engine supports; for tests of the engine. */
export const ALL_SERVED: Served = { events: true, services: true, agents: true, budgets: true };
/** What this version supports without Kafka and Redis. */
export const SERVED: Served = { events: false, services: false, agents: false, budgets: false };
/** What it supports with both: for flows of a service whose configuration is not known. */
export const SERVABLE: Served = { ...SERVED, events: true, agents: true };

/** Adds a problem for every task that uses an unsupported feature. The document has passed all other checks. */
export function checkServed(document: FlowDocument, served: Served, problems: Problems): void {
  if (!served.budgets) checkBudget(document, problems);
  if (served.events && served.services && served.agents) return;
  for (const { type, task, path } of viewFlow(document).tasks) {
    if (type === "emit" && !served.events)
      problems.add(
        [...path, "type"],
        "events of emit leave over Kafka, and the service has none; set kafka.bootstrap_servers (ORCHESTRATOR_KAFKA_BOOTSTRAP_SERVERS), or call a web service (type http) instead",
      );
    const { leaving }: Partial<TaskType> = isWritableTaskType(type) ? TASK_TYPES[type] : {};
    if (leaving?.carrier === "agents" && !served.agents)
      problems.add(
        [...path, "type"],
        `agents get tasks of type ${type} over Redis, and the service has none; set redis.url (ORCHESTRATOR_REDIS_URL)`,
      );
    const { service } = (task.parameters ?? {}) as Record<string, Json>;
    if (type === "http" && service !== undefined && !served.services)
      problems.add(
        [...path, "parameters", "service"],
        "registered services are reserved for a later version; write url instead of service and path",
      );
  }
}

/** What limits a run until budgets are supported. */
const INSTEAD_OF: Readonly<Record<string, string>> = {
  max_time: "; write workflow.timeout instead",
  max_steps: "; max_transitions bounds a flow of states",
};

function checkBudget({ workflow }: FlowDocument, problems: Problems): void {
  for (const key of Object.keys(workflow.budget ?? {}))
    problems.add(
      ["workflow", "budget", key],
      `budgets are reserved for a later version of the service, and nothing would enforce this one${INSTEAD_OF[key] ?? ""}`,
    );
}
