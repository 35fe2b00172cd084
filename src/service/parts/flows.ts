/** Flows: their registry with its compiler, the templates, and the graphs of the user's modules. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Log } from "../../base/log.ts";
import type { Config } from "../../config/settings.ts";
import type { GraphHost } from "../../engine/ports/graphs.ts";
import { ALL_SERVED, SERVED, type Served } from "../../flows/check/unserved.ts";
import { openCompilerProcess } from "../../flows/graph/compiler-process.ts";
import type { FlowRegistry } from "../../flows/ports/registry.ts";
import type { KeptTemplates, TemplateCatalogue, TemplateStarts } from "../../flows/ports/templates.ts";
import { createFlowRegistry } from "../../flows/registry.ts";
import { createCatalogue } from "../../flows/templates/all-templates.ts";
import { openTemplates } from "../../flows/templates/catalogue.ts";
import { createTemplateStarts } from "../../flows/templates/use-template.ts";
import type { CallGate } from "../../guards/call-gate.ts";
import { createFlowStore } from "../../store/flow-versions.ts";
import type { Database } from "../../store/sql/pool.ts";
import { createKeptTemplates } from "../../store/templates/kept-templates.ts";
import type { Carrier } from "../../tasks/define.ts";
import { modelsForFlows } from "./models.ts";
import type { Parts } from "./parts.ts";
import { redisAddressOf } from "./redis.ts";
import type { Services } from "./routing/services.ts";

/** Flows, templates, and graphs that runs are created from. */
export interface Flows {
  readonly flows: FlowRegistry;
  readonly templates: TemplateCatalogue;
  readonly templateStarts: TemplateStarts;
  /** What flows may use. */
  readonly served: Served;
  readonly keptTemplates: KeptTemplates;
  /** Graphs of the user's modules; undefined when the configuration names no module. */
  readonly graphs: GraphHost | undefined;
}

/** What flows need. */
export interface FlowNeeds {
  readonly database: Database;
  readonly services: Pick<Services, "served">;
  /** Null: all calls are allowed. */
  readonly gate: Pick<CallGate, "whyDenied"> | null;
}

/** Opens the registry of flows and loads templates and graphs. Error: GRAPH_MODULE_INVALID. */
export async function openFlows(
  config: Config,
  { database, services, gate }: FlowNeeds,
  log: Log,
  parts: Parts,
): Promise<Flows> {
  const compiler = openCompilerProcess();
  parts.onClose(() => compiler.close());
  const graphs = await openGraphs(config, database, log, parts);
  const { maxRetryAttempts: maxRetries, retryBackoffBase: backoffBase, defaultTaskTimeout: timeoutMs } = config.engine;
  const hasTopics = (config.kafka.bootstrapServers ?? []).length > 0;
  const hasRedis = redisAddressOf(config) !== null;
  const models = modelsForFlows(config);
  // A test of the engine may use features that are not served yet.
  const served = config.testing.enabled
    ? ALL_SERVED
    : {
        ...SERVED,
        topics: hasTopics,
        streams: hasRedis,
        webhooks: new Set(Object.keys(config.webhooks.endpoints)),
        services: services.served,
        agents: hasRedis,
        models,
      };
  const flows = createFlowRegistry(createFlowStore(database), compiler, {
    queueDefaults: { maxRetries, backoffBase, timeoutMs },
    graphs: new Set(graphs?.names()),
    carriers: new Set<Carrier>(["workers", ...(hasTopics ? ["topics" as const] : [])]),
    served,
    models,
    ...(gate === null ? {} : { whyDenied: gate.whyDenied }),
  });
  const files = await openTemplates(templatesFolder(config), { served, log });
  parts.onClose(() => files.close());
  const keptTemplates = createKeptTemplates(database);
  const templates = createCatalogue(files, keptTemplates, served);
  return { flows, templates, templateStarts: createTemplateStarts(templates, flows), graphs, served, keptTemplates };
}

/** LangGraph is not loaded when the configuration names no module. */
async function openGraphs(config: Config, database: Database, log: Log, parts: Parts): Promise<GraphHost | undefined> {
  if (config.graphs.modules.length === 0) return undefined;
  const { openGraphHost } = await import("../../engine/graph/host.ts");
  const { createCheckpointStore } = await import("../../store/checkpoints.ts");
  const { timeout, maxMemory, maxSteps, workers } = config.graphs;
  const graphs = await openGraphHost({
    modules: config.graphs.modules.map((module) => resolve(module)),
    limits: { timeoutMs: timeout, maxMemoryMb: Math.floor(maxMemory / 2 ** 20), maxSteps, maxWorkers: workers },
    checkpoints: createCheckpointStore(database.reads),
    log,
  });
  parts.onClose(() => graphs.close());
  log.info("graphs loaded", { graphs: graphs.names() });
  return graphs;
}

/** Returns the user's template folder, or the one that ships with the service, for as long as the service runs. */
function templatesFolder(config: Config): string {
  const own = resolve(config.templates.dir);
  return existsSync(own) ? own : fileURLToPath(new URL("../../../templates", import.meta.url));
}
