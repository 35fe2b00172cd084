/** What instances say to each other about tasks and workers. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Line } from "../../../engine/ports/dispatch/hand-overs.ts";
import type { Conversation, PeerMessage, SlotCount, TaskNotice, Want } from "../../../engine/ports/dispatch/peers.ts";
import type {
  ExchangeRequest,
  ExchangeRequestSchema,
  Conversation as WireConversation,
  SlotCount as WireCount,
  Line as WireLine,
  TaskNotice as WireNotice,
} from "../../../gen/orchestrator/peer/v1/peer_service_pb.ts";
import { fromWorkerTask, toWorkerTask } from "./worker-task.ts";

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
