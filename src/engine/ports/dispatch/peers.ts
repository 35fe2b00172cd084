/** Slots and tasks between instances: what they say to each other, and how it gets there. */
import type { OtherInstance } from "../cluster.ts";
import type { HandedTask, HandOverRef, LabeledLine, Line } from "./hand-overs.ts";

/** Names a conversation of two instances, as its sender sees it; see {@link PeerCalls.exchange}. */
export interface Conversation {
  /** Id of the sender. */
  readonly from: string;
  readonly epoch: number;
  /** Epoch of the receiver as far as the sender knows; 0: not at all. */
  readonly seen: number;
}

/** What waits in a line of the sender for a slot. */
export interface Want extends LabeledLine {
  /** 0: nothing any more. */
  readonly count: number;
  readonly priority: number;
  /** When the first one has its turn. */
  readonly turn: number;
}

/** A session at the sender, of which the receiver gets slots. */
export interface LentSession {
  readonly sessionId: string;
  readonly tenantId: string;
  readonly queues: readonly string[];
  readonly handlers: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly buildId: string;
}

/** Slots of a session since the conversation began: it only grows, so that it may come twice and out of order. */
export interface SlotCount {
  readonly sessionId: string;
  readonly total: number;
}

/** A task for a session at the receiver, in a slot that was lent. */
export interface SentTask {
  readonly sessionId: string;
  readonly token: string;
  readonly task: HandedTask;
}

/** About a task that a session at the receiver holds. */
export interface TaskNotice {
  readonly sessionId: string;
  readonly token: string;
  readonly reason: string;
}

/** How a hand-over came to nothing. */
export type LossReason = "UNACKNOWLEDGED" | "WORKER_LOST" | "HANDED_BACK";

/** A hand-over to a session at the sender that came to nothing, of a run of the receiver. */
export interface LostTask extends HandOverRef {
  readonly sessionId: string;
  readonly reason: LossReason;
}

/** Everything that waited for the other instance. */
export interface PeerMessage {
  /** Lines that workers at the sender serve from now on, and no longer. */
  readonly served: readonly Line[];
  readonly unserved: readonly Line[];
  readonly wants: readonly Want[];
  /** Of sessions at the sender. */
  readonly sessions: readonly LentSession[];
  readonly lent: readonly SlotCount[];
  /** Sessions whose unused slots are wanted back. */
  readonly recalled: readonly string[];
  /** Sessions that lost their stream: what they have not acknowledged is lost. */
  readonly disconnected: readonly string[];
  readonly ended: readonly string[];
  /** Those of `ended` whose worker said goodbye. */
  readonly left: readonly string[];
  /** What such sessions held: it may have been handed out before its run came to the receiver. */
  readonly lost: readonly LostTask[];
  /** For sessions at the receiver. */
  readonly tasks: readonly SentTask[];
  readonly cancellations: readonly TaskNotice[];
  /** Tasks whose slots are free again. */
  readonly releases: readonly TaskNotice[];
  readonly returned: readonly SlotCount[];
}

/** What became of a message. */
export interface PeerAnswer {
  /** Epoch of the receiver; 0: it does not know the sender yet. */
  readonly epoch: number;
  /** Whether the message belonged to its conversation. */
  readonly taken: boolean;
  /** Tokens of tasks that found no slot. */
  readonly refused: readonly string[];
}

/** Calls to other instances. */
export interface PeerCalls {
  /** Hands a message over. Rejects when it is not known to have arrived. */
  exchange(peer: OtherInstance, conversation: Conversation, message: PeerMessage): Promise<PeerAnswer>;
}

/** What other instances say to this one. */
export interface PeerDispatch {
  exchange(conversation: Conversation, message: PeerMessage): PeerAnswer;
  /**
   * Reports of a session at another instance are about to be taken here. `lent` counts the slots of the session that
   * are lent to this instance; 0: no word about them.
   */
  noteSession(conversation: Conversation, tenantId: string, sessionId: string, lent: number): void;
}
