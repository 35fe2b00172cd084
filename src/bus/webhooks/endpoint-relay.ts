/**
 * Sends the events of one endpoint, for the shards of this instance. Each endpoint has a relay of its own, so one that
 * is slow or away holds up no other.
 *
 *   open ──no connection, 429, 503, or five failures in a row──→ away ──after a pause──→ one event ─┬─ delivered → open
 *                                                                 ↑                                 │
 *                                                                 └────── failed, longer pause ─────┘
 *
 * Everything is read from the table, a page at a time. Events of a run go one after the other; those of different runs
 * at once, a few of them. A run whose event failed waits alone, with growing pauses, and others pass it. A row is
 * deleted after its event was taken: an instance that dies in between, or loses the shard, leaves events that are sent
 * twice, with the same id.
 */
import type { Log } from "../../base/log.ts";
import type {
  ListHeldEvents,
  Outgoing,
  OutgoingId,
  PlaceOutbox,
  RejectedOutgoing,
  StoredOutgoing,
} from "../../engine/ports/bus/outbox.ts";
import { type Left, startNudgedLoop } from "../nudged-loop.ts";
import { HELD_PAUSE_MS, type OutboxRelay } from "../outbox-relay.ts";
import type { Deliver, Verdict } from "./delivery.ts";

/** Events of a page. */
const PAGE = 200;

/** Pauses after failures, milliseconds: of an endpoint, which one request probes, and of a run. */
const FIRST_PAUSE_MS = 250;
const LONGEST_AWAY_MS = 10_000;
const LONGEST_WAIT_MS = 60_000;

/** After this many failures in a row, whatever they were, the endpoint counts as away. */
const FAILURES_TO_LEAVE = 5;

/** Most runs that wait alone; with more of them, the endpoint is away. */
const MOST_WAITING = 500;

/** How long a stop waits for requests under way, milliseconds. */
const STOP_MS = 2_000;

/** What became of an event, for metrics. */
export type DeliveryResult = "delivered" | "failed" | "rejected";

export interface EndpointRelayParts {
  readonly name: string;
  readonly outbox: PlaceOutbox;
  readonly deliver: Deliver;
  readonly shards: { readonly owned: readonly number[] };
  /** Events that stay where they are for now; absent: none. */
  readonly listHeld?: ListHeldEvents;
  /** Requests at once. */
  readonly concurrency: number;
  /** How long an event is tried, milliseconds. */
  readonly maxAgeMs: number;
  /** Milliseconds since the epoch, by the clock that stamps events. */
  now(): number;
  counted(result: DeliveryResult, seconds: number): void;
  /** An event has arrived; when it was written, milliseconds since the epoch. */
  delivered(writtenAt: number): void;
  /** Events were rejected, durably. */
  rejected(messages: readonly RejectedOutgoing[]): void;
  readonly log: Log;
}

interface Pause {
  readonly until: number;
  readonly ms: number;
}

/** A page under way, and what came of it so far. */
interface Page {
  readonly sent: OutgoingId[];
  readonly rejected: RejectedOutgoing[];
  isOver: boolean;
  /** Events of it were held after it was read. */
  holds: boolean;
}

/** Starts the relay of an endpoint. */
export function startEndpointRelay(parts: EndpointRelayParts): OutboxRelay {
  const { name, outbox, deliver, shards, listHeld = () => [], concurrency, maxAgeMs, log } = parts;
  const waiting = new Map<string, Pause>();
  const stopping = new AbortController();
  let away: Pause | null = null;
  let reason = "";
  let failures = 0;
  let isStopping = false;
  let sent: readonly OutgoingId[] = [];

  const isTooOld = ({ message }: StoredOutgoing): boolean => parts.now() - message.at > maxAgeMs;
  const expiry = (id: OutgoingId): RejectedOutgoing => ({
    ...{ id, code: "EXPIRED" },
    reason: `not delivered within ${Math.round(maxAgeMs / 1_000)} s; at last: ${reason}`,
  });

  const deleteSent = async (): Promise<void> => {
    if (sent.length === 0) return;
    await outbox.delete(sent);
    sent = [];
  };

  const reject = async (rejected: readonly RejectedOutgoing[]): Promise<void> => {
    if (rejected.length === 0) return;
    for (const { id, reason: why } of rejected)
      log.warn("an event is not delivered", { webhook: name, ...id, reason: why });
    await outbox.reject(rejected);
    parts.rejected(rejected);
  };

  const leave = (waitMs: number): void => {
    const ms = Math.min(2 * (away?.ms ?? FIRST_PAUSE_MS / 2), LONGEST_AWAY_MS);
    if (away === null) log.warn("events for a webhook wait", { webhook: name, reason });
    away = { until: performance.now() + Math.max(ms, waitMs), ms };
  };

  const noteFailure = (runId: string, verdict: Extract<Verdict, { readonly type: "failed" }>): void => {
    reason = verdict.reason;
    failures += 1;
    const ms = Math.min(2 * (waiting.get(runId)?.ms ?? FIRST_PAUSE_MS / 2), LONGEST_WAIT_MS);
    if (!verdict.isAway) waiting.set(runId, { until: performance.now() + Math.max(ms, verdict.waitMs), ms });
    if (away === null && !verdict.isAway && failures < FAILURES_TO_LEAVE && waiting.size < MOST_WAITING) return;
    leave(verdict.isAway ? verdict.waitMs : 0);
  };

  /** The endpoint answered: it works. */
  const noteAnswer = (runId: string): void => {
    failures = 0;
    waiting.delete(runId);
    if (away !== null) log.info("events for a webhook are sent again", { webhook: name });
    away = null;
  };

  /** Sends the events of a run until one fails or the endpoint is away. */
  const sendRun = async (events: readonly StoredOutgoing[], page: Page): Promise<void> => {
    for (const event of events) {
      if (page.isOver || isStopping) return;
      if (isHeld(event.message, listHeld())) {
        page.holds = true;
        return;
      }
      const { runId } = event.message;
      const from = performance.now();
      const verdict = await deliver(event.message, stopping.signal);
      // What a stop broke off is the business of the next owner.
      if (stopping.signal.aborted && verdict.type === "failed") return;
      parts.counted(verdict.type, (performance.now() - from) / 1_000);
      if (verdict.type === "failed") {
        noteFailure(runId, verdict);
        page.isOver ||= away !== null;
        if (isTooOld(event)) page.rejected.push(expiry(event.id));
        return;
      }
      noteAnswer(runId);
      if (verdict.type === "delivered") {
        page.sent.push(event.id);
        parts.delivered(event.message.at);
      } else page.rejected.push({ id: event.id, code: verdict.code, reason: verdict.reason });
    }
  };

  const sendPage = async (events: readonly StoredOutgoing[]): Promise<Page> => {
    const page: Page = { sent: [], rejected: [], isOver: false, holds: false };
    const runs = [...Map.groupBy(events, ({ message }) => message.runId).values()];
    const sendOn = async (): Promise<void> => {
      for (let run = runs.shift(); run !== undefined; run = runs.shift()) await sendRun(run, page);
    };
    await Promise.all(Array.from({ length: concurrency }, sendOn));
    sent = [...sent, ...page.sent];
    await deleteSent();
    await reject(page.rejected);
    return page;
  };

  /** While the endpoint is away, what is too old is not tried one by one. */
  const expireOld = async (): Promise<void> => {
    for (let isMore = true; isMore && !isStopping; ) {
      const events = await outbox.list(shards.owned, [], PAGE);
      const old = events.filter(isTooOld);
      await reject(old.map(({ id }) => expiry(id)));
      isMore = old.length === PAGE;
    }
  };

  const step = async (): Promise<Left> => {
    await deleteSent();
    const now = performance.now();
    if (away !== null && away.until > now) return { afterMs: away.until - now };
    const without = [...waiting].flatMap(([runId, { until }]) => (until > now ? [runId] : []));
    const limit = away === null ? PAGE : 1;
    const events = await outbox.list(shards.owned, without, limit);
    forgetGone(events, limit, now);
    if (events.length === 0) {
      // Nothing is left to try it with.
      if (waiting.size === 0) away = null;
      const until = [...waiting.values()].map((one) => one.until);
      if (listHeld().length > 0) until.push(performance.now() + HELD_PAUSE_MS);
      return until.length === 0 ? "nothing" : { afterMs: Math.max(Math.min(...until) - performance.now(), 1) };
    }
    const wasAway = away !== null;
    const { holds } = await sendPage(events);
    if (wasAway && away !== null) await expireOld();
    if (isStopping) return "nothing";
    return holds ? { afterMs: HELD_PAUSE_MS } : "more";
  };

  /** Forgets runs that have waited and have no event any more: somebody dropped it, or the shard is another's. */
  const forgetGone = (events: readonly StoredOutgoing[], limit: number, now: number): void => {
    if (events.length === limit) return;
    const there = new Set(events.map(({ message }) => message.runId));
    for (const [runId, { until }] of waiting) if (until <= now && !there.has(runId)) waiting.delete(runId);
  };

  const loop = startNudgedLoop({ step, failure: `the events for webhook ${name} cannot be read or deleted`, log });
  return {
    nudge: loop.nudge,
    async stop() {
      isStopping = true;
      const timer = setTimeout(() => stopping.abort(), STOP_MS);
      await loop.stop();
      clearTimeout(timer);
      await deleteSent().catch((error: unknown) => log.warn("events may be sent again", { webhook: name, error }));
    },
  };
}

function isHeld(message: Outgoing, held: ReturnType<ListHeldEvents>): boolean {
  const flowId = message.kind === "event" ? (message.content.flowId ?? "") : "";
  return held.some((one) => one.tenantId === message.tenantId && (one.flowId === "" || one.flowId === flowId));
}
