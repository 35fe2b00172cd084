/** Parts of the flow grammar that this version does not implement. If accepted, they would fail or be ignored. */
import type { Json, JsonObject } from "../../base/json/json.ts";
import type { ModelProviders } from "../../tasks/agents/transport.ts";
import type { TaskType } from "../../tasks/define.ts";
import { isWritableTaskType, TASK_TYPES } from "../../tasks/index.ts";
import { suggest } from "../../tasks/schema/suggest.ts";
import { isReservedFlowId, RESERVED_PREFIX } from "../builtin/ids.ts";
import { limitNameProblem } from "../builtin/limit-names.ts";
import type { Problems } from "../document/problems.ts";
import type { FlowDocument } from "../document/schema.ts";
import { holdsExpression } from "../interpolation/template.ts";
import { viewFlow } from "../warnings/view.ts";
import { checkAi } from "./check-ai.ts";
import { unknownType } from "./check-tasks.ts";
import { listLimits } from "./flow-limits.ts";

/** Names of services. Those that it lists are proposed for names that it does not have. */
export type ServedServices = Pick<ReadonlySet<string>, "has"> & Iterable<string>;

/** Features of the parts around the engine. */
export interface Served {
  /** Whether something relays events of `emit` to topics, and to Redis Streams. */
  readonly topics: boolean;
  readonly streams: boolean;
  /** Endpoints that events of `emit` may name; null: any. */
  readonly webhooks: ReadonlySet<string> | null;
  /** Services that `http` tasks may name; null: any. */
  readonly services: ServedServices | null;
  /** Whether tasks are published for agents. */
  readonly agents: boolean;
  /** Providers of models that `ai` tasks may name; null: any. */
  readonly models: ModelProviders | null;
  /** The flow is one of the service itself: its id is reserved, and it may have steps and limits of the service. */
  readonly reservedIds?: true;
}

/** Everything that the engine supports; for tests of the engine. */
export const ALL_SERVED: Served = {
  topics: true,
  streams: true,
  webhooks: null,
  services: null,
  agents: true,
  models: null,
};
/** What this version supports without Kafka, Redis, and webhooks. */
export const SERVED: Served = {
  topics: false,
  streams: false,
  webhooks: new Set(),
  services: new Set(),
  agents: false,
  models: { known: new Map(), standard: null },
};
/** What it supports with all of them: for flows of a service whose configuration is not known. */
export const SERVABLE: Served = {
  ...SERVED,
  topics: true,
  streams: true,
  webhooks: null,
  services: null,
  agents: true,
  models: null,
};

/** Adds a problem for every task that uses an unsupported feature. The document has passed all other checks. */
export function checkServed(document: FlowDocument, served: Served, problems: Problems): void {
  if (served.reservedIds !== true) checkReserved(document, problems);
  const { budget } = document.workflow;
  const limitsCost = budget?.max_cost_usd !== undefined && budget.unpriced !== "tokens_only";
  for (const { type, task, path } of viewFlow(document).tasks) {
    if (type === "step" && served.reservedIds !== true) problems.add([...path, "type"], unknownType(type));
    if (type === "emit") checkEmit((task.parameters ?? {}) as Record<string, Json>, path, served, problems);
    const { leaving }: Partial<TaskType> = isWritableTaskType(type) ? TASK_TYPES[type] : {};
    if (type === "ai") checkAi((task.parameters ?? {}) as JsonObject, path, { ...served, limitsCost }, problems);
    else if (leaving?.carrier === "agents" && !served.agents)
      problems.add(
        [...path, "type"],
        `agents get tasks of type ${type} over Redis, and the service has none; set redis.url (ORCHESTRATOR_REDIS_URL)`,
      );
    const { service } = (task.parameters ?? {}) as Record<string, Json>;
    if (type !== "http" || typeof service !== "string" || holdsExpression(service)) continue;
    if (served.services?.has(service) === false)
      problems.add(
        [...path, "parameters", "service"],
        `there is no service ${service}${suggest(service, [...served.services]) || "; put it (orchestrator services put), or name it in routing.services (ORCHESTRATOR_ROUTING_SERVICES)"}`,
      );
  }
}

/** What the service keeps for flows of its own. */
function checkReserved(document: FlowDocument, problems: Problems): void {
  if (isReservedFlowId(document.id))
    problems.add(["id"], `ids that begin with ${RESERVED_PREFIX} belong to flows of the service itself`);
  for (const { name, path } of listLimits(document)) {
    const problem = limitNameProblem(name);
    if (problem !== null) problems.add([...path, "name"], problem);
  }
}

function checkEmit(
  { topic, webhook, stream }: Readonly<Record<string, Json>>,
  path: readonly (string | number)[],
  served: Served,
  problems: Problems,
): void {
  const add = (key: string, problem: string): void => problems.add([...path, "parameters", key], problem);
  if (topic !== undefined && !served.topics)
    add(
      "topic",
      "events of emit for topics leave over Kafka, and the service has none; set kafka.bootstrap_servers (ORCHESTRATOR_KAFKA_BOOTSTRAP_SERVERS), or use webhook or stream",
    );
  if (stream !== undefined && !served.streams)
    add(
      "stream",
      "events of emit for Streams leave over Redis, and the service has none; set redis.url (ORCHESTRATOR_REDIS_URL)",
    );
  if (typeof webhook !== "string") return;
  if (holdsExpression(webhook)) add("webhook", "it has to be a name, not an expression: flows choose no addresses");
  else if (served.webhooks?.has(webhook) === false)
    add(
      "webhook",
      `there is no endpoint ${webhook}${suggest(webhook, [...served.webhooks]) || "; name it in webhooks.endpoints (ORCHESTRATOR_WEBHOOKS_ENDPOINTS)"}`,
    );
}
