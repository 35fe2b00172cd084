/**
 * Requests over Redis: each starts an execution of a workflow. That of a request that can never be applied has failed
 * at once, without a flow, and says why. Runs answer on their own: their messages are part of their commits.
 *
 *   pub/sub: every instance hears it
 *     of a shard of this instance ──not started by an earlier owner──→ started here, under the lease of the shard
 *     of another instance's shard ──→ kept for a while (see subscriber.ts)
 *   Stream: one instance reads it → started by the owner of its run → acknowledged
 *
 * While a request cannot be judged yet (the database is away, a run is moving), it is tried again.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { isOrchestratorError } from "../../../base/errors.ts";
import { EXECUTION_LABELS, EXECUTION_SOURCE } from "../../../base/labels.ts";
import type { Log } from "../../../base/log.ts";
import type { BusCommands, MessageStart } from "../../../engine/ports/bus/commands.ts";
import type { StartedRuns } from "../../../engine/ports/bus/started-runs.ts";
import type { TemplateStarts } from "../../../flows/ports/templates.ts";
import { applyMessage, type Problem, problemOf } from "../../apply-message.ts";
import { KILLS_ITS_READER } from "../../deaths.ts";
import type { OwnerDeaths } from "../../owner-deaths.ts";
import type { HandleMessages, MessageCounts, RedisMessage, Verdict } from "../messages.ts";
import { readWhatCanBeRead, readWorkflowRequest } from "./read-request.ts";
import { idAt, idOfEntry, stemOf } from "./request-ids.ts";
import { findStarted, SLACK_MS } from "./takeover-lookup.ts";

/** Pauses between attempts, milliseconds. */
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2_000;
/** How long this instance remembers what it has started, milliseconds. */
const REMEMBER_MS = 60_000;

type StartRun = (...start: [tenantId: string, start: MessageStart]) => Promise<void>;

export interface RequestParts {
  readonly templates: TemplateStarts;
  readonly startedRuns: StartedRuns;
  /** Starts a run here; RUN_MOVED if its shard is another instance's. */
  readonly startHere: BusCommands["start"];
  /** Starts a run at its owner. */
  readonly startAnywhere: BusCommands["start"];
  readonly shards: {
    shardOf(id: string): number;
    /** Undefined: another instance owns it. */
    epochOf(shard: number): number | undefined;
  };
  readonly tenantId: string;
  readonly maxBytes: number;
  readonly counts: Pick<MessageCounts, "counted">;
  readonly ownerDeaths: OwnerDeaths;
  readonly stopping: AbortSignal;
  readonly log: Log;
}

/** Creates what takes requests: those of channels, and those of Streams. */
export function createRequests(parts: RequestParts): {
  readonly channel: HandleMessages;
  readonly stream: HandleMessages;
} {
  const requests = new Requests(parts);
  return {
    channel: (messages) => requests.ofChannel(messages),
    stream: (messages) =>
      messages.map((message) => requests.apply(message, idOfEntry(message), parts.startAnywhere, () => true)),
  };
}

class Requests {
  readonly #parts: RequestParts;
  /** Runs that this instance has started, with the time, oldest first. */
  readonly #own = new Map<string, number>();
  /** Since when the shards have their epochs, as far as messages came. */
  readonly #epochs = new Map<number, { readonly epoch: number; readonly since: number }>();
  /** When the last message of each kind was seen that has started a run. */
  readonly #lastAt = new Map<string, number>();

  constructor(parts: RequestParts) {
    this.#parts = parts;
  }

  ofChannel(messages: readonly RedisMessage[]): readonly Promise<Verdict>[] {
    const { shards } = this.#parts;
    const shardOf = (id: string): number => shards.shardOf(id);
    const read = messages.map((message) => {
      const stem = stemOf(message);
      const shard = shardOf(stem);
      const owns = (): boolean => shards.epochOf(shard) !== undefined;
      return { message, stem, owns, isSuspect: owns() && (this.#isNew(shard) || message.again) };
    });
    const suspects = read.filter(({ isSuspect }) => isSuspect);
    const started = suspects.length === 0 ? null : this.#findStarted(suspects);
    return read.map(async ({ message, stem, owns, isSuspect }) => {
      if (!owns()) return "elsewhere";
      if (isSuspect && started !== null) {
        const answer = await started;
        if (answer === null || !owns()) return "elsewhere";
        if (answer.has(message)) return "done";
      }
      const runId = idAt(stem, this.#momentOf(stem, message.seenAt), shardOf);
      return this.apply(message, runId, this.#parts.startHere, owns);
    });
  }

  /** Starts the run of a request, however long it takes. `elsewhere`: it is not this instance's any more. */
  async apply(
    message: RedisMessage,
    runId: string,
    startRun: BusCommands["start"],
    owns: () => boolean,
  ): Promise<Verdict> {
    const { stopping, log, counts, ownerDeaths } = this.#parts;
    let verdict: Verdict = "done";
    const begin = async (refusal: Problem | null, ownerDied?: () => void): Promise<void> => {
      try {
        await this.#start(message, runId, refusal, (...start) => startRun(...start, ownerDied));
      } catch (error) {
        // It came before.
        if (isOrchestratorError(error) && error.code === "RUN_ALREADY_EXISTS") return;
        throw error;
      }
      this.#remember(runId);
      counts.counted(message.source, refusal === null ? "applied" : "refused", 1);
    };
    const refuse = async (problem: Problem): Promise<void> => {
      log.warn("a request was refused", { source: message.source, run_id: runId, reason: problem.reason });
      if (problem.reason === KILLS_ITS_READER) {
        // Its run would kill as well.
        verdict = problem;
        return;
      }
      try {
        await begin(problem);
      } catch (error) {
        const worse = problemOf(error);
        if (worse === null) throw error;
        // Not even what is left of it can be kept.
        log.warn("a request was refused", { source: message.source, run_id: runId, reason: worse.reason });
      }
    };
    const end = await applyMessage({
      apply: ownerDeaths.attemptsOf(
        (ownerDied) => begin(null, ownerDied),
        () => message.ownerDied?.(),
      ),
      ...{ refuse, owns, stopping, log },
    });
    return end === "left" ? "elsewhere" : verdict;
  }

  async #start(message: RedisMessage, runId: string, refusal: Problem | null, startRun: StartRun) {
    const { templates, tenantId, maxBytes } = this.#parts;
    const read = refusal === null ? readWorkflowRequest : readWhatCanBeRead;
    const { template, variables: input, ...request } = read(message.value, maxBytes);
    const { flowId, version } =
      refusal === null ? await templates.useTemplate(tenantId, template) : { flowId: template, version: "" };
    const labels = {
      [EXECUTION_LABELS.source]: EXECUTION_SOURCE,
      ...(template === "" ? {} : { [EXECUTION_LABELS.template]: template }),
    };
    const facts = { ...request, runId, labels };
    const failed = refusal === null ? null : { type: refusal.reason, message: refusal.message };
    await startRun(tenantId, { ...facts, flowId, version, input, refusal: failed });
  }

  /** Those that have started a run; null: it could not be found out. */
  async #findStarted(
    suspects: readonly { readonly message: RedisMessage; readonly stem: string }[],
  ): Promise<ReadonlySet<RedisMessage> | null> {
    const { startedRuns, tenantId, stopping, log } = this.#parts;
    const looked = suspects.map(({ message: { seenAt }, stem }) => ({ stem, seenAt }));
    for (let pause = FIRST_PAUSE_MS; !stopping.aborted; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
      try {
        const started = await findStarted(startedRuns, tenantId, looked, this.#own);
        return new Set(suspects.flatMap(({ message }, index) => (started[index] === true ? [message] : [])));
      } catch (error) {
        if (pause === FIRST_PAUSE_MS) log.warn("requests wait for the database", { error });
        await sleep(pause);
      }
    }
    return null;
  }

  /** Whether an earlier owner may have started what is heard now. */
  #isNew(shard: number): boolean {
    const epoch = this.#parts.shards.epochOf(shard);
    if (epoch === undefined) return false;
    const known = this.#epochs.get(shard);
    if (known?.epoch === epoch) return performance.now() - known.since < SLACK_MS;
    this.#epochs.set(shard, { epoch, since: performance.now() });
    return true;
  }

  /** When a message was seen, for its id: identical ones have different times. */
  #momentOf(stem: string, seenAt: number): number {
    const at = Math.max(seenAt, (this.#lastAt.get(stem) ?? 0) + 1);
    this.#lastAt.delete(stem);
    this.#lastAt.set(stem, at);
    for (const [oldest, time] of this.#lastAt) {
      if (seenAt - time < REMEMBER_MS) break;
      this.#lastAt.delete(oldest);
    }
    return at;
  }

  #remember(runId: string): void {
    const now = performance.now();
    this.#own.set(runId, now);
    for (const [oldest, at] of this.#own) {
      if (now - at < REMEMBER_MS) break;
      this.#own.delete(oldest);
    }
  }
}
