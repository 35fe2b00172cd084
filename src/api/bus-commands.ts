/**
 * What inbound messages do: the same calls that callers make, handled here or by the owner of the run. They skip
 * identification and decoding: messages are checked by those who read them.
 */
import { create } from "@bufbuild/protobuf";
import { isOrchestratorError, toError } from "../base/errors.ts";
import type { BusCommands, MessageStart } from "../engine/ports/bus/commands.ts";
import type { Caller } from "../engine/ports/caller.ts";
import type { Cluster } from "../engine/ports/cluster.ts";
import type { AnsweredTask, HandOvers } from "../engine/ports/dispatch/hand-overs.ts";
import type { RunControl } from "../engine/ports/run-control.ts";
import {
  PeerService,
  TakeAnswerRequestSchema,
  TakeStartsRequestSchema,
} from "../gen/orchestrator/peer/v1/peer_service_pb.ts";
import { createOwnCall } from "./calls/own-call.ts";
import { fromStatus } from "./errors/from-status.ts";
import { toSentStart, toStartRequest } from "./mapping/message-start.ts";
import { encodeJson } from "./mapping/payload.ts";
import { toDuration } from "./mapping/time.ts";
import { isElsewhere } from "./peers/forward-refusal.ts";
import { anywhere, type Sender } from "./peers/forward-send.ts";

/** Starts of one call to another instance. */
const MAX_STARTS = 1_000;

const TAKE_ANSWER = anywhere(PeerService.method.takeAnswer);
const TAKE_STARTS = anywhere(PeerService.method.takeStarts);

type Outcome = Parameters<HandOvers["answered"]>[1];

export interface BusCommandsNeeds {
  readonly instanceId: string;
  readonly runControl: Pick<RunControl, "startRuns">;
  readonly handOvers: Pick<HandOvers, "answered">;
  readonly cluster: Pick<Cluster, "locate">;
  readonly sender: Pick<Sender, "send">;
}

const NEVER = new AbortController().signal;

export function createBusCommands(needs: BusCommandsNeeds): BusCommands {
  const { instanceId, runControl, handOvers, cluster, sender } = needs;

  const startHere = async (caller: Caller, starts: readonly MessageStart[]): Promise<readonly (Error | null)[]> => {
    const results = await runControl.startRuns(caller, starts.map(toStartRequest), 0);
    return results.map((result) => (result instanceof Error ? result : null));
  };

  /** Starts at the owner of their runs. */
  const startAt = async (address: string, caller: Caller, starts: readonly MessageStart[]) => {
    const request = create(TakeStartsRequestSchema, { starts: starts.map(toSentStart) });
    const call = createOwnCall(caller, NEVER);
    const { results } = await sender.send(address, TAKE_STARTS, request, call, call.signal);
    return results.map(({ error }) => (error === undefined ? null : fromStatus(error)));
  };

  return {
    async startRuns(tenantId, starts) {
      const caller = { tenantId, actor: "" };
      const results = [...(await startHere(caller, starts))];
      const moved = [...starts.entries()].filter(([index]) => isElsewhere(results[index]));
      const places = new Map<string, typeof moved>();
      for (const entry of moved) {
        const place = await cluster.locate(entry[1].runId);
        // Without an owner it is tried again later.
        if (place === null) continue;
        const address = place === "here" ? "" : place.address;
        places.set(address, [...(places.get(address) ?? []), entry]);
      }
      const send = async (address: string, entries: typeof moved): Promise<void> => {
        const part = entries.map(([, start]) => start);
        const sent = address === "" ? startHere(caller, part) : startAt(address, caller, part);
        // The call as a whole failed, for no reason that lies in a message.
        const answers = await sent.catch((cause: unknown) =>
          part.map(({ runId }) => toError("RUN_MOVED", { runId }, { cause })),
        );
        for (const [at, [index]] of entries.entries()) results[index] = answers[at] ?? null;
      };
      const parts = [...places].flatMap(([address, entries]) =>
        Array.from({ length: Math.ceil(entries.length / MAX_STARTS) }, (_, part) =>
          send(address, entries.slice(part * MAX_STARTS, (part + 1) * MAX_STARTS)),
        ),
      );
      await Promise.all(parts);
      return results;
    },

    async answer(task, outcome) {
      const answerHere = async (): Promise<boolean> => (await handOvers.answered(task, outcome)) !== "unknown";
      try {
        return await answerHere();
      } catch (error) {
        if (!isElsewhere(error)) throw error;
        const place = await cluster.locate(task.runId);
        if (place === null) throw error;
        if (place === "here") return await answerHere();
        const call = createOwnCall({ tenantId: "", actor: instanceId }, NEVER);
        const request = toTakeAnswer(task, outcome);
        const sent = sender.send(place.address, TAKE_ANSWER, request, call, call.signal);
        return (await sent.catch((failure: unknown) => Promise.reject(toMoved(failure, task.runId)))).known;
      }
    },
  };
}

/** Whatever happens on the way to the owner, the answer may be sent again: it counts once. */
function toMoved(failure: unknown, runId: string): Error {
  if (isOrchestratorError(failure)) return failure;
  return toError("RUN_MOVED", { runId }, { cause: failure });
}

function toTakeAnswer({ runId, path, attempt, fence, begunAt, place }: AnsweredTask, outcome: Outcome) {
  return create(TakeAnswerRequestSchema, {
    ...{ runId, taskId: path, begunAt },
    place: { ...place, offset: BigInt(place.offset) },
    ...(attempt === null ? {} : { attempt }),
    ...(fence === null ? {} : { fence }),
    ...(outcome.tookMs === undefined ? {} : { tookMs: outcome.tookMs }),
    outcome: outcome.ok
      ? { case: "outputJson", value: encodeJson(outcome.output) }
      : { case: "failed", value: toErrored(outcome.error) },
  });
}

function toErrored({ type, message, retryable, nextRetryDelayMs }: Extract<Outcome, { ok: false }>["error"]) {
  const delay = nextRetryDelayMs === undefined ? {} : { nextRetryDelay: toDuration(nextRetryDelayMs) };
  return { type, message, nonRetryable: !retryable, ...delay };
}
