/**
 * Canaries: runs by which the service sees for itself whether starts are acknowledged, run to their end, and stay.
 *
 *   turn ─→ not on duty: forget what is shown
 *     └──→ look for those of the last hour ─→ start one ─→ completed with its text in time   success
 *                     │                           │   └──→ otherwise                        failed, late
 *                     └ one has no row: lost      └──────→ refused                          not_started
 *
 * Each canary names the one that was acknowledged before it. So there are two witnesses of an acknowledgement: the
 * memory of this instance, which outlives a database that falls back behind a commit, and the rows, which outlive this
 * instance. What both forget at the same moment is not noticed.
 */
import { CANARY_LABELS } from "../../base/labels.ts";
import type { Log } from "../../base/log.ts";
import type { Clock } from "../../base/time/clock.ts";
import { CANARY_DOCUMENT } from "../../flows/builtin/canary.ts";
import type { BuiltInFlows } from "../../flows/ports/built-in.ts";
import { type Caller, DEFAULT_TENANT } from "../ports/caller.ts";
import type { CanaryStore } from "../ports/canary/canaries.ts";
import type { RunControl, StartRequest } from "../ports/run-control.ts";

/** How long a canary is looked for, milliseconds: what the rows of an hour name is there for two. */
const REMEMBERED_MS = 3_600_000;

/** Longest time to its end, milliseconds. */
const PATIENCE_MS = 10_000;

/** Its timeout as a run, milliseconds. */
const TIMEOUT_MS = 60_000;

/** Time between two removals of old ones, milliseconds. */
const REMOVE_EVERY_MS = 3_600_000;

/** In whose name they are started. It is the tenant in which operators look. */
const CALLER: Caller = { tenantId: DEFAULT_TENANT, actor: "orchestrator" };

/** What became of one. `late`: it was acknowledged, and had not ended in time. */
export type CanaryOutcome = "success" | "failed" | "late" | "not_started";

/** Who is told. */
export interface CanaryObserver {
  ended(outcome: CanaryOutcome, seconds: number): void;
  /** Acknowledged ones that are gone; null: another instance looks. */
  lost(count: number | null): void;
}

export interface CanaryParts {
  readonly store: CanaryStore;
  readonly control: Pick<RunControl, "startRun">;
  readonly builtIns: BuiltInFlows;
  /** Whether this instance is the one that starts canaries. */
  isOnDuty(): boolean;
  readonly observer: CanaryObserver;
  readonly clock: Clock;
  readonly log: Log;
}

/** Starts them, one at a time. */
export class Canary {
  readonly #parts: CanaryParts;
  /** Acknowledged ones, the oldest first, and when. */
  readonly #acknowledged = new Map<string, number>();
  /** Lost ones that the log has. */
  readonly #told = new Set<string>();
  #removedAt = Number.NEGATIVE_INFINITY;

  constructor(parts: CanaryParts) {
    this.#parts = parts;
  }

  /** One turn. Resolves at the end of its canary, at the latest when the patience ends or `stopping` aborts. */
  async turn(stopping: AbortSignal): Promise<void> {
    const { isOnDuty, observer } = this.#parts;
    if (!isOnDuty()) return observer.lost(null);
    const newest = await this.#look();
    if (!stopping.aborted) await this.#start(newest, stopping);
  }

  /** Returns the newest one that is known. */
  async #look(): Promise<string | null> {
    const { store, observer, clock, log } = this.#parts;
    const now = clock.monotonic();
    for (const [runId, at] of this.#acknowledged) if (now - at > REMEMBERED_MS) this.#acknowledged.delete(runId);
    const known = [...this.#acknowledged.keys()];
    try {
      const { newest, lost } = await store.look(known);
      observer.lost(lost.length);
      for (const runId of lost) {
        if (this.#told.has(runId)) continue;
        this.#told.add(runId);
        log.error("an acknowledged run is lost: it has no row any more", { runId });
      }
      for (const runId of this.#told) if (!lost.includes(runId)) this.#told.delete(runId);
      await this.#removeOld(now);
      return known.at(-1) ?? newest;
    } catch (error) {
      log.debug("canaries cannot be looked for", { error });
      return known.at(-1) ?? null;
    }
  }

  async #removeOld(now: number): Promise<void> {
    if (now - this.#removedAt < REMOVE_EVERY_MS) return;
    await this.#parts.store.removeOld();
    this.#removedAt = now;
  }

  async #start(after: string | null, stopping: AbortSignal): Promise<void> {
    const { control, builtIns, observer, clock, log } = this.#parts;
    const startedAt = clock.monotonic();
    const text = `at ${new Date(clock.now()).toISOString()}`;
    const end = (outcome: CanaryOutcome, fields: object): void => {
      observer.ended(outcome, (clock.monotonic() - startedAt) / 1_000);
      if (outcome === "success") log.debug("a canary completed", { ...fields });
      else log.warn("a canary did not complete", { outcome, ...fields });
    };
    try {
      const flow = await builtIns.use(CALLER.tenantId, CANARY_DOCUMENT);
      const { run } = await control.startRun(CALLER, requestOf(flow, text, after), PATIENCE_MS, stopping);
      const { runId, phase, output } = run.state;
      this.#acknowledged.set(runId, clock.monotonic());
      if (run.state.endedAt === 0) {
        // A service that stops waits for nobody.
        if (!stopping.aborted) end("late", { runId, phase });
      } else end(phase === "COMPLETED" && output === text ? "success" : "failed", { runId, phase });
    } catch (error) {
      // Somebody may have deleted the version.
      builtIns.forget(CALLER.tenantId, CANARY_DOCUMENT);
      if (!stopping.aborted) end("not_started", { error });
    }
  }
}

function requestOf(
  { flowId, version }: { readonly flowId: string; readonly version: string },
  text: string,
  after: string | null,
): StartRequest {
  return {
    ...{ flowId, version, input: { text }, requestId: "", requestHash: "", runId: "", builtIn: true },
    ...{ fromMessage: false, refusal: null, runKey: "", runKeyPolicy: "reject", userId: "", correlationId: "" },
    labels: { [CANARY_LABELS.mark]: "true", ...(after === null ? {} : { [CANARY_LABELS.after]: after }) },
    ...{ context: null, runTimeoutMs: TIMEOUT_MS, startDelayMs: 0, signals: [] },
  };
}
