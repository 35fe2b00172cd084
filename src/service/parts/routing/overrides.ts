/** What operators say about breakers and bulkheads, for the call path and for calls. */
import type { Log } from "../../../base/log.ts";
import { systemClock } from "../../../base/time/clock.ts";
import type { ListHeldEvents } from "../../../engine/ports/bus/outbox.ts";
import type { TargetRules, ToolOverride, ToolOverrides } from "../../../engine/ports/routing/tool-overrides.ts";
import { openToolOverrides } from "../../../engine/routing/tool-overrides.ts";
import { createToolOverrideStore } from "../../../store/routing/tool-overrides.ts";
import type { Parts } from "../parts.ts";
import type { Store } from "../store.ts";

export interface Overrides {
  readonly toolOverrides: ToolOverrides;
  readonly rules: TargetRules;
  readonly listHeld: ListHeldEvents;
}

/** Reads the overrides and follows their changes. */
export async function openOverrides({ database, alone }: Store, log: Log, parts: Parts): Promise<Overrides> {
  const store = createToolOverrideStore(database, { alone });
  const overrides = await openToolOverrides({ store, clock: systemClock, log });
  parts.onClose(() => overrides.stop());
  parts.metrics.beforeRead(async () => {
    for (const [kind, isOf] of Object.entries(KINDS))
      parts.metrics.gauge("orchestrator_tool_overrides", kind).set(overrides.list().filter(isOf).length);
  });
  const { control: toolOverrides, rules, listHeld } = overrides;
  return { toolOverrides, rules, listHeld };
}

const KINDS = {
  OPEN: ({ breaker }: ToolOverride): boolean => breaker === "open",
  CLOSED: ({ breaker }: ToolOverride): boolean => breaker === "closed",
  RESIZED: ({ maxConcurrent, maxQueued }: ToolOverride): boolean => maxConcurrent !== null || maxQueued !== null,
};
