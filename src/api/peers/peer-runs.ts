/**
 * Runs of other instances, for watches over many runs.
 *
 * While a tenant is watched here, this instance subscribes to run changes on every other instance, and the engine
 * relays them to all watches of the tenant.
 *
 *   opening → open → down → opening … after 1 s, later up to 30 s; a peer that is silent for three heartbeats is down
 *
 * A change can be missed while a stream is not open, when a shard moves, or when a peer dies with unsent changes. After
 * each of these, headers written since then are read from the store and relayed too; the newest version wins, so
 * nothing is sent twice or stays outdated. This repeats while a peer is down. If the changes cannot be read or are too
 * many, watches get a gap.
 */
import type { Log } from "../../base/log.ts";
import type { Caller } from "../../engine/ports/caller.ts";
import type { Cluster, ClusterView, OtherInstance } from "../../engine/ports/cluster.ts";
import type { RunIndex } from "../../engine/ports/run-index.ts";
import type { RunRelay } from "../../engine/ports/run-watch.ts";
import { RunService, type WatchRunsResponse } from "../../gen/orchestrator/v1/run_service_pb.ts";
import { openGrpcClient } from "../client/grpc-client.ts";
import { summaryToHeader } from "../mapping/run.ts";
import type { ForwardedCallers } from "./forwarded-caller.ts";

/** Interval of checks for new and lost instances, milliseconds. */
const LOOK_EVERY_MS = 250;

/**
 * How long a new watch waits for the streams of other instances; a stream that opens later catches up from the store.
 */
const READY_MS = 2_000;

/**
 * Longest time until a decided change can be read, milliseconds: twice the statement timeout of the store, plus a
 * heartbeat.
 */
const MARGIN_MS = 60_000;

/** Most changes to read from the store at once; if there are more, the oldest are a gap. */
const MAX_READ = 5_000;

/** Attempts to read them before they are a gap. */
const MAX_READS = 3;

/** Path of the stream of changes. */
const WATCH_RUNS = `/${RunService.typeName}/${RunService.method.watchRuns.name}`;

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;

export interface PeerRunsParts {
  readonly cluster: Cluster;
  readonly runRelay: RunRelay;
  readonly runIndex: Pick<RunIndex, "listChanged">;
  readonly callers: Pick<ForwardedCallers, "sign">;
  readonly log: Log;
  /** Heartbeat interval of a silent peer, milliseconds. */
  readonly heartbeatMs: number;
}

/** Changes on other instances. */
export interface PeerRuns {
  /**
   * Relays changes on other instances to the caller's tenant until the signal aborts. Resolves once the streams are
   * open or a peer has not answered in time: a later read of the store is complete together with what is relayed.
   */
  follow(caller: Caller, signal: AbortSignal): Promise<void>;
}

export function createPeerRuns(parts: PeerRunsParts): PeerRuns {
  const tenants = new Map<string, { readonly peers: TenantPeers; watches: number }>();
  return {
    async follow(caller, signal) {
      if (signal.aborted) return;
      const { tenantId } = caller;
      const entry = tenants.get(tenantId) ?? { peers: new TenantPeers(parts, caller), watches: 0 };
      tenants.set(tenantId, entry);
      entry.watches += 1;
      const leave = (): void => {
        entry.watches -= 1;
        if (entry.watches > 0) return;
        entry.peers.stop();
        tenants.delete(tenantId);
      };
      signal.addEventListener("abort", leave, { once: true });
      await entry.peers.ready;
    },
  };
}

interface Link {
  readonly peer: OtherInstance;
  readonly stop: AbortController;
  readonly settled: PromiseWithResolvers<void>;
  state: "opening" | "open" | "down";
  /** Everything that the peer had committed by this time is known here; `performance.now()`. */
  knownAt: number;
  failures: number;
  retryAt: number;
}

/** Streams from the other instances for one tenant. */
class TenantPeers {
  /** Resolves when each stream has opened or failed once, at the latest after {@link READY_MS}. */
  readonly ready: Promise<void>;
  readonly #parts: PeerRunsParts;
  readonly #caller: Caller;
  readonly #links = new Map<string, Link>();
  readonly #stop = new AbortController();
  readonly #looks: NodeJS.Timeout;
  #cluster: ClusterView;
  #lookedAt = performance.now();
  /** The list of runs has not been read yet, so no change can be missing from it. */
  #fresh = true;
  /** Since when changes may be missing and must be read from the store; null if none are. */
  #missingSince: number | null = null;
  #reading = false;
  #readFailures = 0;
  #readAt = 0;

  constructor(parts: PeerRunsParts, caller: Caller) {
    this.#parts = parts;
    this.#caller = caller;
    this.#cluster = parts.cluster.view();
    this.#looks = setInterval(() => this.#look(), LOOK_EVERY_MS);
    this.#look();
    this.ready = this.#waitForLinks();
  }

  stop(): void {
    clearInterval(this.#looks);
    this.#stop.abort();
    for (const link of this.#links.values()) link.stop.abort();
  }

  async #waitForLinks(): Promise<void> {
    const settled = Promise.all([...this.#links.values()].map((link) => link.settled.promise));
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, READY_MS);
    await Promise.race([settled, late.promise]);
    clearTimeout(timer);
    this.#fresh = false;
  }

  #look(): void {
    const now = performance.now();
    const cluster = this.#parts.cluster.view();
    if (cluster.epochs !== this.#cluster.epochs) this.#miss(this.#lookedAt);
    for (const [id, link] of this.#links) {
      if (cluster.others.some((other) => other.id === id && other.address === link.peer.address)) continue;
      this.#links.delete(id);
      link.stop.abort();
      this.#miss(link.knownAt);
    }
    for (const peer of cluster.others) {
      if (this.#links.has(peer.id)) continue;
      const link: Link = {
        peer,
        stop: new AbortController(),
        settled: Promise.withResolvers(),
        state: "down",
        knownAt: this.#lookedAt,
        failures: 0,
        retryAt: now,
      };
      this.#links.set(peer.id, link);
    }
    for (const link of this.#links.values()) if (link.state === "down" && now >= link.retryAt) void this.#listen(link);
    this.#cluster = cluster;
    this.#lookedAt = now;
    void this.#readMissing(now);
  }

  /** Opens the stream of a peer once and reads it until it fails. */
  async #listen(link: Link): Promise<void> {
    const { log, heartbeatMs } = this.#parts;
    const { id, address } = link.peer;
    const silence = new AbortController();
    const signal = AbortSignal.any([link.stop.signal, silence.signal]);
    const silent = setTimeout(() => silence.abort(), 3 * heartbeatMs);
    link.state = "opening";
    let problem: unknown = "its stream ended";
    try {
      const client = openGrpcClient({ address, headers: this.#parts.callers.sign(this.#caller, WATCH_RUNS) });
      try {
        for await (const { frame } of client.stream(RunService.method.watchRuns, {}, { signal })) {
          silent.refresh();
          // The first frame confirms the subscription.
          if (link.state === "opening") this.#opened(link);
          link.knownAt = performance.now();
          this.#relay(frame);
        }
      } finally {
        await client.close();
      }
    } catch (error) {
      problem = error;
    }
    clearTimeout(silent);
    if (link.stop.signal.aborted) return;
    link.failures += 1;
    link.retryAt = performance.now() + pauseAfter(link.failures);
    link.state = "down";
    this.#miss(link.knownAt);
    if (link.failures === 1) {
      const message = "lost the run changes of an instance; watches read them from the store until it is back";
      log.warn(message, { instance: id, address, error: silence.signal.aborted ? "it is silent" : problem });
    }
    link.settled.resolve();
  }

  #opened(link: Link): void {
    const { id, address } = link.peer;
    if (link.failures > 0) this.#parts.log.info("run changes of an instance arrive again", { instance: id, address });
    link.state = "open";
    link.failures = 0;
    this.#miss(link.knownAt);
    link.settled.resolve();
  }

  #relay(frame: WatchRunsResponse["frame"]): void {
    const { runRelay } = this.#parts;
    const { tenantId } = this.#caller;
    switch (frame.case) {
      case "snapshot":
        runRelay.relay(tenantId, {
          type: "changed",
          headers: frame.value.runs.flatMap((run) => summaryToHeader(run) ?? []),
        });
        return;
      case "update": {
        const header = frame.value.run === undefined ? null : summaryToHeader(frame.value.run);
        if (header !== null && !frame.value.matches)
          runRelay.relay(tenantId, { type: "changed", headers: [{ ...header, deleted: true }] });
        return;
      }
      case "gap":
        runRelay.relay(tenantId, { type: "gap", lostCount: frame.value.lostCount });
        return;
      default:
        // A heartbeat.
        return;
    }
  }

  /** Records that changes since `since` may be missing. */
  #miss(since: number): void {
    if (!this.#fresh) this.#missingSince = Math.min(since, this.#missingSince ?? since);
  }

  async #readMissing(now: number): Promise<void> {
    const since = this.#missingSince;
    if (since === null || this.#reading || now < this.#readAt) return;
    const { runRelay, runIndex, log } = this.#parts;
    const { tenantId } = this.#caller;
    this.#missingSince = null;
    this.#reading = true;
    try {
      const ageMs = now - since + MARGIN_MS;
      const headers = await runIndex.listChanged(this.#caller, ageMs, MAX_READ + 1, this.#stop.signal);
      if (headers.length > MAX_READ) runRelay.relay(tenantId, { type: "gap", lostCount: 1 });
      runRelay.relay(tenantId, { type: "changed", headers: headers.slice(-MAX_READ) });
      for (const link of this.#links.values()) if (link.state === "down") link.knownAt = Math.max(link.knownAt, now);
      this.#readFailures = 0;
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      this.#readFailures += 1;
      log.warn("changes of runs could not be read for watches", { error, tries: this.#readFailures });
      if (this.#readFailures < MAX_READS) this.#miss(since);
      else runRelay.relay(tenantId, { type: "gap", lostCount: 1 });
    } finally {
      this.#reading = false;
      this.#readAt = performance.now() + pauseAfter(this.#readFailures);
    }
  }
}

/** Delay after `failures` failures in a row, milliseconds: 1 s, doubled each time, up to 30 s. */
function pauseAfter(failures: number): number {
  return Math.min(FIRST_PAUSE_MS * 2 ** Math.max(0, failures - 1), LONGEST_PAUSE_MS) * (0.75 + Math.random() / 4);
}
