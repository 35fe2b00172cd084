/** Calls of the whole API on one engine and its database, without a port. */
import type { DescMethod } from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import { Call } from "../../../src/api/calls/call.ts";
import { identifyByName } from "../../../src/api/calls/identity.ts";
import type { ServedMethod } from "../../../src/api/calls/methods.ts";
import { createPipeline } from "../../../src/api/calls/pipeline.ts";
import { packagesOf, serveServices } from "../../../src/api/calls/services.ts";
import { createHealth } from "../../../src/api/health.ts";
import { printMessage } from "../../../src/api/http/print.ts";
import { createTokens } from "../../../src/api/lists/tokens.ts";
import type { Sender } from "../../../src/api/peers/forward-send.ts";
import { SERVICES } from "../../../src/api/services/index.ts";
import { silentLog } from "../../../src/base/log.ts";
import { createDryRuns } from "../../../src/engine/dry-run/dry-runs.ts";
import type { Engine } from "../../../src/engine/engine.ts";
import { createLimitControl } from "../../../src/engine/limits/limit-control.ts";
import type { Cluster } from "../../../src/engine/ports/cluster.ts";
import type { Operations } from "../../../src/engine/ports/operations.ts";
import { createQueues } from "../../../src/engine/queues/queues.ts";
import { createFlowRegistry } from "../../../src/flows/registry.ts";
import { createTemplateStarts } from "../../../src/flows/templates/use-template.ts";
import { createBudgetControl } from "../../../src/store/budgets/budget-control.ts";
import { createUndeliveredMessages } from "../../../src/store/bus/undelivered.ts";
import { createFlowStore } from "../../../src/store/flow-versions.ts";
import { createLimitStore } from "../../../src/store/limits/declared-limits.ts";
import { createLimitPlaces } from "../../../src/store/limits/limit-places.ts";
import { createQueueStore } from "../../../src/store/queues/queues.ts";
import { createRunIndex } from "../../../src/store/run-index.ts";
import type { Database } from "../../../src/store/sql/pool.ts";
import { createUpgrades } from "../../../src/store/upgrades.ts";
import { createFakeAdmin } from "../../rpc/support/fake-admin.ts";
import { createFakeTemplates } from "../../rpc/support/fake-flows.ts";
import { createFakeGenerations } from "../../rpc/support/fake-generations.ts";
import { createFakeGoals } from "../../rpc/support/fake-goals.ts";
import { createFakeOperations } from "../../rpc/support/fake-operations.ts";
import { createFakeRouting } from "../../rpc/support/fake-routing.ts";
import { createFakeTriggers } from "../../rpc/support/fake-triggers.ts";
import { createFakeWorkers } from "../../rpc/support/fake-workers.ts";

const LIMITS = {
  maxMessageBytes: 4_194_304,
  maxPayloadBytes: 1_048_576,
  maxInlinePayloadBytes: 65_536,
  maxFlowBytes: 65_536,
};

/** No other instance. */
const ALONE: Cluster = { view: () => ({ others: [], epochs: 0 }), ownerOf: () => "here", locate: async () => "here" };

const NO_SENDER: Sender = {
  maxMessageBytes: LIMITS.maxMessageBytes,
  send: () => Promise.reject(new Error("there is no other instance")),
  // biome-ignore lint/correctness/useYield: there is no other instance.
  async *stream() {
    throw new Error("there is no other instance");
  },
  close() {},
};

/** The answer to a call. */
export interface Answered {
  /** `OK` or the code of the error. */
  readonly code: string;
  readonly json: string;
}

/** Calls a method. */
export type Ask = (method: DescMethod, init: Record<string, unknown>) => Promise<Answered>;

/**
 * Calls as the servers make them: handled, then encoded as bytes and as JSON. Of a stream the first message is taken.
 */
export function createCaller(engine: Engine, database: Database, operations?: Operations): Ask {
  const index = createRunIndex(database);
  const flows = createFlowRegistry(createFlowStore(database));
  const methods = serveServices(SERVICES, {
    runControl: engine,
    outboxGates: {},
    isServed: () => true,
    findUnsent: async () => null,
    upgrades: createUpgrades(database, silentLog),
    inboundTopics: null,
    rejectedMessages: { list: async () => [], find: async () => null },
    ...createFakeAdmin(),
    ...createFakeTriggers(flows),
    ...createFakeRouting(flows),
    ...createFakeGoals(),
    ...createFakeGenerations(),
    undelivered: createUndeliveredMessages(database, () => {}),
    budgets: createBudgetControl(database),
    dryRuns: createDryRuns({ flows, estimates: { sizeOf: () => null }, now: Date.now }),
    runReader: engine,
    runWatch: engine,
    runIndex: index,
    approvals: engine,
    approvalIndex: index,
    operations: operations ?? createFakeOperations(),
    workers: createFakeWorkers(),
    callbacks: { answer: async () => {} },
    limitPlaces: createLimitPlaces(database),
    queues: createQueues({ store: createQueueStore(database), changed: () => {} }),
    limitControl: createLimitControl({
      store: createLimitStore(database),
      lines: { changed() {} },
      log: silentLog,
    }),
    askPeers: async () => ({ answers: [], silent: 0 }),
    cluster: ALONE,
    peers: { sender: NO_SENDER },
    flows,
    templates: createFakeTemplates(),
    templateStarts: createTemplateStarts(createFakeTemplates(), flows),
    health: createHealth(),
    facts: { version: "1", revision: "", store: "external", startedAt: 0, capabilities: [] },
    limits: LIMITS,
    packages: packagesOf(SERVICES),
    tokens: createTokens(new Uint8Array(32)),
    draining: new AbortController().signal,
    heartbeatMs: 60_000,
  });
  const served = new Map<DescMethod, ServedMethod>(methods.map((method) => [method.desc, method]));
  const pipeline = createPipeline({
    methods,
    log: silentLog,
    identify: identifyByName,
    metrics: { forMethod: () => ({ started() {}, finished() {}, sent() {} }) },
  });
  return async (desc, init) => {
    const method = served.get(desc);
    if (method === undefined) throw new Error(`${desc.name} is not served`);
    const call = new Call("grpc", undefined, new Map());
    const encode = (message: Parameters<ServedMethod["encode"]>[0]): string => {
      method.encode(message);
      return printMessage(desc.output, message);
    };
    const decode = () => create(desc.input, init);
    if (method.stream === null)
      return new Promise((resolve) =>
        pipeline.runUnary(method, call, decode, encode, (error, json) =>
          resolve({ code: error?.code ?? "OK", json: json ?? String(error?.cause ?? error?.message) }),
        ),
      );
    try {
      for await (const json of pipeline.runStream(method, call, decode, encode)) return { code: "OK", json };
      return { code: "OK", json: "" };
    } catch (error) {
      return { code: (error as { code: string }).code, json: String((error as Error).cause ?? error) };
    } finally {
      call.cancel();
    }
  };
}
