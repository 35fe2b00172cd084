/**
 * Overrides of breakers and bulkheads at one instance. A change is durable first; then every instance reads the rows
 * again. An override ends at its time by the clock of each instance.
 */
import type { Log } from "../../base/log.ts";
import { canonicalModel } from "../../base/net/model-name.ts";
import type { Clock } from "../../base/time/clock.ts";
import type { ListHeldEvents } from "../ports/bus/outbox.ts";
import type {
  CallTarget,
  OverrideTarget,
  TargetRule,
  TargetRules,
  ToolOverride,
  ToolOverrideStore,
  ToolOverrides,
} from "../ports/routing/tool-overrides.ts";
import { followRows } from "./followed-rows.ts";

export interface ToolOverridesParts {
  readonly store: ToolOverrideStore;
  readonly clock: Clock;
  readonly log: Log;
}

/** Overrides of an instance. */
export interface OpenedOverrides {
  readonly control: ToolOverrides;
  readonly rules: TargetRules;
  /** Overrides in force, of all tenants. */
  list(): readonly ToolOverride[];
  /** Tenants and flows that are off: their events do not leave. */
  readonly listHeld: ListHeldEvents;
  stop(): Promise<void>;
}

/** Follows the rows from now on. */
export async function openToolOverrides({ store, clock, log }: ToolOverridesParts): Promise<OpenedOverrides> {
  const changed: (() => void)[] = [];
  const listeners: Parameters<TargetRules["onReset"]>[0][] = [];
  let overrides: readonly ToolOverride[] = [];
  let version = 0;
  /** Resets that were made here, or before this instance began. Null: it has not begun. */
  let made: ReadonlySet<string> | null = null;

  const read = async (): Promise<void> => {
    const [rows, resets] = await Promise.all([store.list(), store.listResets()]);
    overrides = rows.toSorted((a, b) => specificityOf(b) - specificityOf(a));
    version += 1;
    for (const listener of changed) listener();
    const fresh = made === null ? [] : resets.filter(({ id }) => made?.has(id) === false);
    made = new Set(resets.map(({ id }) => id));
    for (const reset of fresh) for (const listener of listeners) listener((target) => isAbout(reset, target));
  };
  const rows = await followRows({ what: "overrides of breakers", read, listen: (heard) => store.listen(heard) }, log);

  const inForce = (): readonly ToolOverride[] => {
    const now = clock.now();
    return overrides.filter(({ until }) => until === null || until > now);
  };

  /** Targets of overrides that differ from a target in the spelling of the model, if at all. */
  const spellingsOf = (tenantId: string, { service, origin, model, flowId, task }: OverrideTarget) =>
    overrides
      .filter((one) => one.tenantId === tenantId && one.service === service && one.origin === origin)
      .filter((one) => one.flowId === flowId && one.task === task && isSameModel(one.model, model))
      .map((one): OverrideTarget => ({ service, origin, model: one.model, flowId, task }));

  const control: ToolOverrides = {
    list: ({ tenantId }) => inForce().filter((override) => override.tenantId === tenantId),
    async put({ tenantId, actor }, target, rule, why) {
      await rows.refresh();
      const [spelled = target] = spellingsOf(tenantId, target);
      const override = await store.put(tenantId, spelled, rule, actor, why);
      log.info("an override of a breaker was put", { tenantId, ...target, ...rule, actor, reason: why });
      await rows.refresh();
      return override;
    },
    async lift({ tenantId, actor }, target, why) {
      await rows.refresh();
      let wasThere = await store.lift(tenantId, target);
      for (const spelled of spellingsOf(tenantId, target)) wasThere = (await store.lift(tenantId, spelled)) || wasThere;
      if (wasThere) log.info("an override of a breaker was lifted", { tenantId, ...target, actor, reason: why });
      await rows.refresh();
      return wasThere;
    },
    async reset({ tenantId, actor }, target, why) {
      await store.reset(tenantId, target);
      log.info("breakers were reset", { tenantId, ...target, actor, reason: why });
      await rows.refresh();
    },
  };

  return {
    control,
    rules: {
      get version() {
        return version;
      },
      ruleOf: (target) => toRule(inForce().filter((override) => isAbout(override, target))),
      findStopped: (model, { tenantId, flowId, task }) =>
        inForce().find(
          (one) =>
            one.breaker === "open" &&
            isSameModel(one.model, model) &&
            isAbout({ ...one, model: "" }, { tenantId, flowId, task, service: "", origin: "" }),
        ) ?? null,
      onChange: (listener) => void changed.push(listener),
      onReset: (listener) => void listeners.push(listener),
    },
    list: inForce,
    listHeld: () =>
      inForce()
        .filter((one) => isSwitch(one) && one.model === "" && one.task === "")
        .map(({ tenantId, flowId }) => ({ tenantId, flowId })),
    stop: () => rows.stop(),
  };
}

/** Providers take names for the same that are not: a switch must not be got round by another spelling. */
function isSameModel(one: string, other: string): boolean {
  return one === other || canonicalModel(one) === canonicalModel(other);
}

/** A task goes before a flow, a flow before all, a name before an address, and that before anything. */
function specificityOf({ service, origin, flowId, task }: OverrideTarget): number {
  const named = service === "" ? (origin === "" ? 0 : 1) : 2;
  return (task === "" ? 0 : 8) + (flowId === "" ? 0 : 4) + named;
}

/** A kill switch: it stops calls of anything. */
function isSwitch({ service, origin, breaker }: ToolOverride): boolean {
  return service === "" && origin === "" && breaker === "open";
}

/** `about`: the most specific first. */
function toRule(about: readonly ToolOverride[]): TargetRule {
  const forcedBy = about.find(isSwitch) ?? about.find(({ breaker }) => breaker !== null) ?? null;
  return {
    breaker: forcedBy?.breaker ?? null,
    forcedBy,
    maxConcurrent: about.find(({ maxConcurrent }) => maxConcurrent !== null)?.maxConcurrent ?? null,
    maxQueued: about.find(({ maxQueued }) => maxQueued !== null)?.maxQueued ?? null,
    until: Math.min(...about.map(({ until }) => until ?? Number.POSITIVE_INFINITY)),
  };
}

/** Whether a target is one of those that an override or a reset is about. */
function isAbout(
  about: Omit<OverrideTarget, "model"> & { readonly tenantId: string; readonly model?: string },
  target: CallTarget,
): boolean {
  return (
    about.tenantId === target.tenantId &&
    (about.model ?? "") === "" &&
    (about.service === "" || about.service === target.service) &&
    (about.origin === "" || about.origin === target.origin) &&
    (about.flowId === "" || about.flowId === target.flowId) &&
    (about.task === "" || about.task === target.task)
  );
}
