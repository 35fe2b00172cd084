/**
 * The other instances, as far as tasks and workers are concerned: slots of workers go where tasks wait, whichever
 * instance owns the run. The instance of the worker decides who gets a free slot. See
 * docs/adr/0047-dispatch-across-instances.md.
 */
import type { Cluster } from "../../ports/cluster.ts";
import type { Line, ReadyTask } from "../../ports/dispatch/hand-overs.ts";
import type { Conversation, LostTask, PeerAnswer, PeerDispatch, PeerMessage } from "../../ports/dispatch/peers.ts";
import type { Forwarding } from "../../ports/dispatch/workers.ts";
import { type Repetition, repeat } from "../../shard/repeat.ts";
import type { Neighbours } from "../dispatcher.ts";
import { precedes } from "../head.ts";
import type { Session } from "../session.ts";
import { keyOf } from "../waiting-tasks.ts";
import { Demand } from "./demand.ts";
import { Peer, type PeerParts } from "./peer.ts";
import type { RemoteSession } from "./remote-session.ts";

/** How often the list of instances is checked and announcements are refreshed, milliseconds. */
const LOOK_EVERY_MS = 250;

/** How long the owner of a lost task is looked for, milliseconds. After that, it finds out on its own. */
const REPORT_LOST_MS = 10_000;

/** Checks after which an unused slot is returned. */
const IDLE_LOOKS = 4;

export interface PeersParts extends Omit<PeerParts, "demand"> {
  readonly cluster: Cluster;
}

/** The other instances. */
export class Peers implements PeerDispatch, Neighbours {
  readonly #parts: PeersParts;
  readonly #demand = new Demand<Peer>();
  readonly #peers = new Map<string, Peer>();
  readonly #loop: Repetition;
  #looks = 0;
  /** Those whose owner is not known yet. */
  #unreported: { readonly task: LostTask; readonly until: number }[] = [];

  constructor(parts: PeersParts) {
    this.#parts = parts;
    this.#loop = repeat(async () => this.#look(), LOOK_EVERY_MS, parts.log);
  }

  exchange(conversation: Conversation, message: PeerMessage): PeerAnswer {
    const peer = this.#find(conversation.from);
    return peer?.conversation.receive(conversation, message) ?? { epoch: 0, taken: false, refused: [] };
  }

  noteSession(conversation: Conversation, tenantId: string, sessionId: string, lent: number): void {
    this.#peers.get(conversation.from)?.noteSession(conversation, tenantId, sessionId, lent);
  }

  /** A session at another instance, by its id. */
  sessionOf(sessionId: string): RemoteSession | undefined {
    for (const peer of this.#peers.values()) {
      const session = peer.sessionOf(sessionId);
      if (session !== undefined) return session;
    }
    return undefined;
  }

  lend(session: Session, head: ReadyTask | null): boolean {
    const wanted = this.#demand.best(this.#parts.dispatcher.linesOf(session), session.skills);
    if (wanted === null || (head !== null && !precedes(wanted, head))) return false;
    wanted.take();
    wanted.peer.loans.lend(session);
    return true;
  }

  /**
   * Reports of a session here go to another instance, the owner of their runs; these tasks have ended. Their slots go
   * along, unless a task that comes first waits elsewhere.
   */
  forwardReports(session: Session, peerId: string, ended: readonly string[]): Forwarding | null {
    const peer = this.#peers.get(peerId);
    if (peer === undefined || !peer.conversation.isOpen) {
      for (const token of ended) session.done(token);
      return null;
    }
    peer.loans.know(session);
    let lent = 0;
    for (const token of ended) {
      if (this.#keepsSlot(peer, session)) lent = Math.max(lent, peer.loans.lendAgain(session, token));
      else session.done(token);
    }
    return { named: peer.conversation.name, lent };
  }

  serve(line: Line): boolean {
    for (const peer of this.#peers.values()) if (peer.serves(line)) return true;
    return false;
  }

  waits(line: Line): void {
    const key = keyOf(line);
    for (const peer of this.#peers.values()) {
      peer.announceDemand(line);
      peer.loans.recall(key);
    }
  }

  requestedBy(line: Line, wanter: unknown): void {
    const key = keyOf(line);
    for (const peer of this.#peers.values()) if (peer !== wanter) peer.loans.recall(key);
  }

  servedChanged(): void {
    for (const peer of this.#peers.values()) peer.announceLines();
  }

  shardsChanged(): void {
    for (const peer of this.#peers.values()) peer.learnAll();
  }

  /** What is sent to a worker that drains comes back. */
  drained(session: Session): void {
    for (const peer of this.#peers.values()) peer.loans.recallOf(session);
  }

  disconnected(session: Session): void {
    for (const peer of this.#peers.values()) peer.loans.disconnected(session);
  }

  /** `left`: its worker said goodbye. */
  ended(session: Session, left: boolean): void {
    for (const peer of this.#peers.values()) peer.loans.ended(session, left);
  }

  /**
   * A session here held a task of a run of another instance, and it came to nothing: its owner takes the task back. A
   * run that has just moved may be without a known owner for a moment.
   */
  lost(task: LostTask): void {
    if (!this.#tellLost(task)) this.#unreported.push({ task, until: performance.now() + REPORT_LOST_MS });
  }

  async stop(): Promise<void> {
    await this.#loop.stop();
    for (const peer of this.#peers.values()) peer.close();
    this.#peers.clear();
  }

  /** False: the owner is not known, or not in reach. */
  #tellLost(task: LostTask): boolean {
    const { cluster, handOvers, log } = this.#parts;
    const { sessionId, reason, runId, fence } = task;
    const place = cluster.ownerOf(runId);
    if (place === "here") {
      handOvers.returned({ runId, fence }, reason, sessionId).catch((error: unknown) => {
        log.warn("a task of a lost worker could not be taken back here", { runId, error });
      });
      return true;
    }
    const owner = cluster.view().others.find(({ address }) => address === place?.address);
    const peer = owner === undefined ? undefined : this.#find(owner.id);
    if (peer?.conversation.isOpen !== true) return false;
    peer.conversation.outbox.lose(task);
    return true;
  }

  #look(): void {
    const { others } = this.#parts.cluster.view();
    const there = new Set(others.map(({ id }) => id));
    for (const [id, peer] of this.#peers) {
      if (there.has(id)) continue;
      this.#peers.delete(id);
      peer.close();
    }
    for (const { id } of others) this.#find(id);
    const now = performance.now();
    this.#unreported = this.#unreported.filter(({ task, until }) => until > now && !this.#tellLost(task));
    this.#looks += 1;
    for (const peer of this.#peers.values()) {
      peer.refresh();
      if (this.#looks % IDLE_LOOKS === 0) peer.returnIdle();
    }
  }

  /** Also one that was opened since the last look. */
  #find(id: string): Peer | undefined {
    const known = this.#peers.get(id);
    if (known !== undefined) return known;
    const other = this.#parts.cluster.view().others.find((one) => one.id === id);
    if (other === undefined) return undefined;
    const peer = new Peer({ ...this.#parts, demand: this.#demand }, other);
    this.#peers.set(id, peer);
    return peer;
  }

  /** Whether the instance that had the last task of a slot gets the slot again. */
  #keepsSlot(peer: Peer, session: Session): boolean {
    if (!session.isReady) return false;
    const { skills } = session;
    const lines = this.#parts.dispatcher.linesOf(session);
    const head = this.#parts.dispatcher.headOf(session);
    const other = this.#demand.best(lines, skills, (one) => one !== peer);
    const rival = head === null || (other !== null && precedes(other, head)) ? other : head;
    const own = this.#demand.best(lines, skills, (one) => one === peer);
    if (rival !== null && (own === null || !precedes(own, rival))) return false;
    own?.take();
    return true;
  }
}
