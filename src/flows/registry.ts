/**
 * The flow registry: checks, compiles, stores, and serves flow versions. Plans are cached in memory; a version never
 * changes.
 */
import { fail, toError } from "../base/errors.ts";
import { canonicalJson } from "../base/json/json-canonical.ts";
import type { ModelProviders } from "../tasks/agents/transport.ts";
import type { Carrier } from "../tasks/define.ts";
import { ALL_SERVED, type Served } from "./check/unserved.ts";
import { type CompiledFlow, compileFlow, compileStored, drawFlow, type FlowSource, judgeFlow } from "./compile.ts";
import type { Problems } from "./document/problems.ts";
import type { VariableDocument } from "./document/schema.ts";
import { type GraphCompiler, inlineGraphCompiler } from "./graph/graph-compiler.ts";
import type { Plan } from "./plan.ts";
import { withCarriers } from "./planning/carriers.ts";
import { withModels } from "./planning/models.ts";
import { type QueueDefaults, withQueueDefaults } from "./planning/queue-defaults.ts";
import type { FlowLimit, FlowStore, NewFlowVersion } from "./ports/flow-store.ts";
import type { FlowRegistry, FlowVersion, RegisterResult } from "./ports/registry.ts";
import type { FlowWorld, PlannedCall } from "./warnings/warning.ts";

/** How long the latest version of a flow, or a declared limit, is cached; other instances may change it meanwhile. */
const LATEST_MS = 1_000;

/** Maximum number of plans and version names that are cached; others are read from the store again. */
const MAX_PLANS = 2_000;

/** What the service around the registry provides. */
export interface RegistryOptions {
  /** Names of the loaded graphs; if absent, graphs are not checked. */
  readonly graphs?: ReadonlySet<string>;
  /** Features that flows may use; all if absent. */
  readonly served?: Served;
  /** What tasks for executors get that set nothing; nothing if absent. */
  readonly queueDefaults?: QueueDefaults;
  /** How tasks can leave; in every way if absent. */
  readonly carriers?: ReadonlySet<Carrier>;
  /** Providers of models that the service calls itself; none if absent. */
  readonly models?: ModelProviders;
  /** Why the gate denies a call of a flow; null: it does not. Absent: it denies none. */
  readonly whyDenied?: (tenantId: string, call: PlannedCall) => string | null;
}

/**
 * Creates the registry over a store. The compiler decides where LangGraph is loaded; the default loads it into this
 * process.
 */
export function createFlowRegistry(
  store: FlowStore,
  compiler: GraphCompiler = inlineGraphCompiler,
  { graphs, served = ALL_SERVED, queueDefaults, carriers, models, whyDenied = () => null }: RegistryOptions = {},
): FlowRegistry {
  const plans = new Map<string, Plan>();
  const versions = new Map<string, { readonly plan: Plan; readonly until: number }>();
  /** Lookups in progress: a thousand starts of one flow query the store once. */
  const lookups = new Map<string, Promise<Plan>>();
  /** Limits that are declared, or asked for. */
  const declared = new Map<string, { readonly answer: Promise<boolean>; readonly until: number }>();

  /** The plan as this service executes it. */
  const adapt = (compiled: Plan): Plan => {
    const asked = models === undefined ? compiled : withModels(compiled, models);
    const carried = carriers === undefined ? asked : withCarriers(asked, carriers);
    return queueDefaults === undefined ? carried : withQueueDefaults(carried, queueDefaults);
  };

  const keepPlan = (tenantId: string, compiled: Plan): Plan => {
    const plan = adapt(compiled);
    plans.set(keyOf(tenantId, plan.flowId, plan.hash), plan);
    if (plans.size > MAX_PLANS) plans.delete(plans.keys().next().value ?? "");
    return plan;
  };

  const planOf = (flow: FlowVersion): Plan =>
    plans.get(keyOf(flow.tenantId, flow.flowId, flow.hash)) ??
    keepPlan(flow.tenantId, compileStored(flow.document, flow.structure));

  const getFlow = async (tenantId: string, flowId: string, version: string): Promise<FlowVersion> => {
    const found = await store.find(tenantId, flowId, version);
    if (found !== null) return found;
    const other = version === "" ? null : await store.find(tenantId, flowId, "");
    const hint = other === null ? "" : ` in version ${version}; the latest is ${other.version}`;
    return fail("FLOW_NOT_FOUND", { flowId, hint });
  };

  const worldOf = (tenantId: string): FlowWorld => ({
    graphs,
    whyDenied: (call) => whyDenied(tenantId, call),
    variablesOf: async (flowId, version) => {
      const found = await store.find(tenantId, flowId, version);
      return found === null ? null : ((found.document.variables ?? []) as unknown as readonly VariableDocument[]);
    },
  });

  const registerAny = async (
    tenantId: string,
    source: FlowSource,
    validateOnly: boolean,
    allowed: Served,
  ): Promise<RegisterResult> => {
    if (validateOnly) {
      const { problems } = await judgeFlow(source, undefined, allowed);
      if (problems.length > 0) return { flow: null, created: false, problems, warnings: [] };
    }
    const compiled = await compileFlow(source, compiler, allowed);
    const { plan, document, structure, warnings: findWarnings } = compiled;
    const undeclared = await checkLimits(tenantId, compiled);
    if (validateOnly && !undeclared.isEmpty)
      return { flow: null, created: false, problems: undeclared.list(), warnings: [] };
    undeclared.throwIfAny();
    const warnings = await findWarnings(worldOf(tenantId));
    const flow: NewFlowVersion = {
      tenantId,
      flowId: plan.flowId,
      version: plan.version,
      hash: plan.hash,
      name: plan.name,
      description: typeof document.description === "string" ? document.description : "",
      kind: plan.kind,
      document,
      structure,
      source: "text" in source ? source.text : canonicalJson(document),
    };
    const verdict = { problems: [], warnings };
    if (validateOnly) return { flow: { ...flow, createdAt: 0, latest: false }, created: false, ...verdict };
    const { stored, created } = await insert(flow, limitsOf(compiled.limits));
    // A lookup in progress may have missed this version: nobody waits for it any more, and its result is not cached.
    forget(tenantId, plan.flowId, plan.version);
    keepPlan(tenantId, plan);
    if (stored.hash !== plan.hash) throw toError("FLOW_VERSION_EXISTS", { flowId: plan.flowId, version: plan.version });
    return { flow: stored, created, ...verdict };
  };

  const checkLimits = async (tenantId: string, { limits, checkDeclared }: CompiledFlow): Promise<Problems> => {
    const names = limitsOf(limits).flatMap(({ name, relies }) => (relies ? [name] : []));
    return checkDeclared(new Set(names.length === 0 ? [] : await store.listDeclared(tenantId, names)));
  };

  /** Stores a version, or finds the existing one with its name. Retries both while others delete and register it. */
  const insert = async (
    flow: NewFlowVersion,
    limits: readonly FlowLimit[],
  ): Promise<{ readonly stored: FlowVersion; readonly created: boolean }> => {
    const { tenantId, flowId, version } = flow;
    for (;;) {
      const created = await store.insert(flow, limits);
      if (created !== null) return { stored: created, created: true };
      const existing = await store.find(tenantId, flowId, version);
      if (existing !== null) return { stored: existing, created: false };
    }
  };

  const forget = (tenantId: string, flowId: string, version: string): void => {
    for (const part of new Set([version, ""])) {
      versions.delete(keyOf(tenantId, flowId, part));
      lookups.delete(keyOf(tenantId, flowId, part));
    }
  };

  const deleteVersion: FlowRegistry["deleteVersion"] = async (tenantId, flowId, version, requestId) => {
    const deletion = await store.deleteVersion(tenantId, flowId, version, requestId);
    forget(tenantId, flowId, version);
    switch (deletion.outcome) {
      case "deleted":
        return deletion.deletedAt;
      case "missing":
        // The error says which version exists instead.
        await getFlow(tenantId, flowId, version);
        return deleteVersion(tenantId, flowId, version, requestId);
      case "used":
        return fail("FLOW_IN_USE", { flowId, version, count: deletion.count, runId: deletion.runId });
      case "reused":
        return fail("REQUEST_ID_REUSED", { requestId });
    }
  };

  const keepVersion = (key: string, plan: Plan, until: number): void => {
    versions.delete(key);
    versions.set(key, { plan, until });
    if (versions.size > MAX_PLANS) versions.delete(versions.keys().next().value ?? "");
  };

  return {
    registerFlow: (tenantId, source, validateOnly) => registerAny(tenantId, source, validateOnly, served),
    registerBuiltIn: (tenantId, document) =>
      registerAny(tenantId, { document }, false, { ...served, reservedIds: true }),
    compile: async (tenantId, source) => {
      const compiled = await compileFlow(source, compiler, served);
      (await checkLimits(tenantId, compiled)).throwIfAny();
      return { plan: adapt(compiled.plan), document: compiled.document };
    },
    getFlow,
    listFlows: store.listFlows,
    listVersions: store.listVersions,
    deleteVersion,
    forget,
    drawFlow: async (tenantId, flowId, version) => {
      const flow = await getFlow(tenantId, flowId, version);
      return { version: flow.version, mermaid: await drawFlow(flow.document, compiler) };
    },
    planFor: (tenantId, flowId, version) => {
      const key = keyOf(tenantId, flowId, version);
      const known = versions.get(key);
      if (known !== undefined && known.until > Date.now()) return Promise.resolve(known.plan);
      const running = lookups.get(key);
      if (running !== undefined) return running;
      const lookup = getFlow(tenantId, flowId, version)
        .then((flow) => {
          const plan = planOf(flow);
          const until = version === "" ? Date.now() + LATEST_MS : Number.POSITIVE_INFINITY;
          if (lookups.get(key) === lookup) keepVersion(key, plan, until);
          return plan;
        })
        .finally(() => {
          if (lookups.get(key) === lookup) lookups.delete(key);
        });
      lookups.set(key, lookup);
      return lookup;
    },
    isLimitDeclared: (tenantId, name) => {
      const key = keyOf(tenantId, name, "");
      const known = declared.get(key);
      if (known !== undefined && known.until > Date.now()) return known.answer;
      const answer = store.listDeclared(tenantId, [name]).then(({ length }) => length > 0);
      const asked = { answer, until: Date.now() + LATEST_MS };
      declared.delete(key);
      declared.set(key, asked);
      if (declared.size > MAX_PLANS) declared.delete(declared.keys().next().value ?? "");
      const forgetIt = (isKept: boolean): void => {
        if (!isKept && declared.get(key) === asked) declared.delete(key);
      };
      // Those who asked get the error.
      void answer.then(forgetIt).catch(() => forgetIt(false));
      return answer;
    },
    planByHash: async (tenantId, flowId, hash) => {
      const known = plans.get(keyOf(tenantId, flowId, hash));
      if (known !== undefined) return known;
      const flow = await store.findByHash(tenantId, flowId, hash);
      if (flow === null) throw toError("FLOW_NOT_FOUND", { flowId, hint: ` with content ${hash.slice(0, 12)}` });
      return planOf(flow);
    },
  };
}

/** One for each name. */
function limitsOf(named: readonly FlowLimit[]): readonly FlowLimit[] {
  const names = Map.groupBy(named, ({ name }) => name);
  return [...names].map(([name, uses]) => ({ name, relies: uses.some(({ relies }) => relies) }));
}

function keyOf(tenantId: string, flowId: string, part: string): string {
  return `${tenantId}\u0000${flowId}\u0000${part}`;
}
