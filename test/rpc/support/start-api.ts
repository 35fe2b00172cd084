/** The API on fakes of its ports, listening at a free port. */
import type { Api, ApiConfig, ApiParts } from "../../../src/api/create-api.ts";
import { createApi } from "../../../src/api/create-api.ts";
import type { HealthState } from "../../../src/api/health.ts";
import { createHealth } from "../../../src/api/health.ts";
import { createPeers } from "../../../src/api/peers/peers.ts";
import { createRunActions } from "../../../src/api/run-actions.ts";
import type { LogFields } from "../../../src/base/log.ts";
import { silentLog } from "../../../src/base/log.ts";
import type { RunActions } from "../../../src/engine/ports/operations.ts";
import { createTemplateStarts } from "../../../src/flows/templates/use-template.ts";
import { createFakeAdmin } from "./fake-admin.ts";
import { createFakeBudgets } from "./fake-budgets.ts";
import { createFakeDryRuns } from "./fake-dry-runs.ts";
import type { FakeEngine } from "./fake-engine.ts";
import { createFakeEngine } from "./fake-engine.ts";
import { createFakeFlows, createFakeTemplates } from "./fake-flows.ts";
import { createFakeGenerations } from "./fake-generations.ts";
import { createFakeGoals } from "./fake-goals.ts";
import { createFakeLimits } from "./fake-limits.ts";
import { createFakeOperations } from "./fake-operations.ts";
import { createFakeQueues } from "./fake-queues.ts";
import { createFakeRouting } from "./fake-routing.ts";
import { createFakeTriggers } from "./fake-triggers.ts";
import { createFakeUndelivered } from "./fake-undelivered.ts";
import { createFakeUpgrades } from "./fake-upgrades.ts";
import { createFakeWorkers } from "./fake-workers.ts";

/** A started API and what a test may look at. */
export interface TestApi {
  readonly api: Api;
  readonly engine: FakeEngine;
  readonly health: HealthState;
  /** What operations do to runs, wherever those live. */
  readonly runActions: RunActions;
  /** `127.0.0.1:port` */
  readonly address: string;
  readonly url: string;
  /** Lines of the error level. */
  readonly errors: { readonly message: string; readonly fields: LogFields | undefined }[];
  /** `code` of every finished call, in order. */
  readonly finished: { readonly method: string; readonly code: string }[];
}

/** Settings of the tests: small limits, so that tests of limits are quick. */
export const TEST_CONFIG: ApiConfig = {
  corsOrigins: ["https://console.example.com"],
  reflection: true,
  maxMessageBytes: 1_048_576,
  maxPayloadBytes: 65_536,
  maxInlinePayloadBytes: 16_384,
  maxFlowBytes: 32_768,
  heartbeatMs: 100,
};

/** Key of the tokens of all tests. */
export const TOKEN_KEY = new Uint8Array(32).fill(7);

/** Starts it. The caller closes `api`. Instances on one database have the same key. */
export async function startApi(
  config: Partial<ApiConfig> = {},
  parts: Partial<Pick<ApiParts, "identify" | "handOvers" | "goalCheck">> = {},
  tokenKey = TOKEN_KEY,
): Promise<TestApi> {
  const engine = createFakeEngine();
  const health = createHealth();
  const errors: TestApi["errors"] = [];
  const finished: TestApi["finished"] = [];
  const flows = createFakeFlows();
  const limits = { ...TEST_CONFIG, ...config };
  const peers = createPeers({
    cluster: engine,
    sharedClock: Date,
    tokenKey,
    maxMessageBytes: limits.maxMessageBytes,
  });
  const runActions = createRunActions({ runControl: engine, runReader: engine, flows, limits, route: peers.route });
  const opened = await createApi({
    runControl: engine,
    outboxGates: {},
    isServed: () => true,
    findUnsent: async () => null,
    upgrades: createFakeUpgrades(),
    inboundTopics: null,
    rejectedMessages: { list: async () => [], find: async () => null },
    undelivered: createFakeUndelivered(),
    budgets: createFakeBudgets(),
    dryRuns: createFakeDryRuns(flows),
    ...createFakeAdmin(),
    runReader: engine,
    runWatch: engine,
    runIndex: engine,
    approvals: engine,
    approvalIndex: engine,
    operations: createFakeOperations(),
    workers: createFakeWorkers(),
    callbacks: { answer: async () => {} },
    queues: createFakeQueues(),
    ...createFakeTriggers(flows),
    ...createFakeRouting(flows),
    ...createFakeGoals(engine),
    ...createFakeGenerations(),
    routedHistory: 10_000,
    metricsText: { answer: async () => ({ contentType: "text/plain; version=0.0.4", text: "up 1\n" }) },
    limitControl: createFakeLimits(),
    peerDispatch: { exchange: () => ({ epoch: 0, taken: false, refused: [] }), noteSession() {} },
    peerLimits: { hear() {} },
    limitPlaces: { findPlace: async () => null },
    handOvers: { answered: async () => "unknown" },
    cluster: engine,
    peers,
    runRelay: engine,
    flows,
    templates: createFakeTemplates(),
    connections: new Map(),
    recovery: { counts: { timeouts: 0, orphans: 0, restarted: 0, resumed: 0, failed: 0, lastRunAt: null } },
    templateStarts: createTemplateStarts(createFakeTemplates(), flows),
    health,
    config: limits,
    facts: { version: "1.2.3", revision: "abc", store: "embedded", startedAt: 1_700_000_000_000, capabilities: [] },
    tokenKey,
    ...parts,
    log: { ...silentLog, error: (message, fields) => void errors.push({ message, fields }) },
    metrics: {
      calls: {
        forMethod: (method) => ({
          started() {},
          sent() {},
          finished: (code) => void finished.push({ method: method.path, code }),
        }),
      },
      http: { requested() {} },
    },
  });
  const api: Api = { ...opened, close: (graceMs) => opened.close(graceMs).finally(() => peers.close()) };
  const { port } = await api.listen("127.0.0.1", 0);
  health.setServing(true);
  return {
    api,
    engine,
    health,
    runActions,
    address: `127.0.0.1:${port}`,
    url: `http://127.0.0.1:${port}`,
    errors,
    finished,
  };
}
