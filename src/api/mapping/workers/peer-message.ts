/** What instances say to each other about tasks and workers. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Line } from "../../../engine/ports/dispatch/hand-overs.ts";
import type {
  Conversation,
  LossReason,
  PeerMessage,
  SlotCount,
  TaskNotice,
  Want,
} from "../../../engine/ports/dispatch/peers.ts";
import {
  type ExchangeRequest,
  type ExchangeRequestSchema,
  type Conversation as WireConversation,
  type SlotCount as WireCount,
  type Line as WireLine,
  type TaskNotice as WireNotice,
  LossReason as WireReason,
} from "../../../gen/orchestrator/peer/v1/peer_service_pb.ts";
import { fromWorkerTask, toWorkerTask } from "./worker-task.ts";

const LOSS_REASON: Readonly<Record<LossReason, WireReason>> = {
  UNACKNOWLEDGED: WireReason.UNACKNOWLEDGED,
  WORKER_LOST: WireReason.WORKER_LOST,
  HANDED_BACK: WireReason.HANDED_BACK,
};

/** A reason of a later release counts as the worst. */
function fromLossReason(reason: WireReason): LossReason {
  const known = Object.entries(LOSS_REASON).find(([, wire]) => wire === reason);
  return (known?.[0] as LossReason | undefined) ?? "WORKER_LOST";
}

export function toExchange(
  conversation: Conversation,
  message: PeerMessage,
): MessageInitShape<typeof ExchangeRequestSchema> {
  const { served, unserved, sessions, recalled, disconnected, ended, left } = message;
  return {
    conversation: toConversation(conversation),
    served: [...served],
    unserved: [...unserved],
    wants: message.wants.map(({ tenantId, queue, handler, labels, count, priority, turn }) => ({
      line: { tenantId, queue, handler },
      labels,
      count,
      priority,
      turn: BigInt(turn),
    })),
    sessions: sessions.map((session) => ({
      ...session,
      queues: [...session.queues],
      handlers: [...session.handlers],
      labels: { ...session.labels },
    })),
    lent: message.lent.map(toCount),
    recalled: [...recalled],
    disconnected: [...disconnected],
    ended: [...ended],
    left: [...left],
    lost: message.lost.map(({ reason, ...task }) => ({ ...task, reason: LOSS_REASON[reason] })),
    tasks: message.tasks.map(({ sessionId, token, task }) => ({ sessionId, task: toWorkerTask(token, task) })),
    cancellations: message.cancellations.map(toNotice),
    releases: message.releases.map(toNotice),
    returned: message.returned.map(toCount),
  };
}

export function fromExchange(request: ExchangeRequest): PeerMessage {
  const { served, unserved, wants, sessions, lent, recalled, disconnected, ended, left } = request;
  return {
    ...{ sessions, recalled, disconnected, ended, left },
    served: served.map(fromLine),
    unserved: unserved.map(fromLine),
    wants: wants.flatMap(({ line, labels, count, priority, turn }): Want[] =>
      line === undefined ? [] : [{ ...fromLine(line), labels, count, priority, turn: Number(turn) }],
    ),
    lent: lent.map(fromCount),
    tasks: request.tasks.flatMap(({ sessionId, task }) =>
      task === undefined ? [] : [{ sessionId, token: task.taskToken, task: fromWorkerTask(task) }],
    ),
    cancellations: request.cancellations.map(fromNotice),
    releases: request.releases.map(fromNotice),
    lost: request.lost.map(({ sessionId, runId, fence, reason }) => ({
      ...{ sessionId, runId, fence },
      reason: fromLossReason(reason),
    })),
    returned: request.returned.map(fromCount),
  };
}

export function toConversation({ from, epoch, seen }: Conversation) {
  return { from, epoch: BigInt(epoch), seen: BigInt(seen) };
}

/** A conversation that nobody has when there is none. */
export function fromConversation(conversation: WireConversation | undefined): Conversation {
  const { from = "", epoch = 0n, seen = 0n } = conversation ?? {};
  return { from, epoch: Number(epoch), seen: Number(seen) };
}

function fromLine({ tenantId, queue, handler }: WireLine): Line {
  return { tenantId, queue, handler };
}

function toCount({ sessionId, total }: SlotCount) {
  return { sessionId, total: BigInt(total) };
}

function fromCount({ sessionId, total }: WireCount): SlotCount {
  return { sessionId, total: Number(total) };
}

function toNotice({ sessionId, token, reason }: TaskNotice) {
  return { sessionId, taskToken: token, reason };
}

function fromNotice({ sessionId, taskToken, reason }: WireNotice): TaskNotice {
  return { sessionId, token: taskToken, reason };
}
