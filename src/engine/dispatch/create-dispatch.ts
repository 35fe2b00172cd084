/** Handed-out work: who takes tasks, and who waits for them, here and at other instances. */
import type { Log } from "../../base/log.ts";
import type { HandOverRef, HandOvers, Takers, WaitingTaskStore } from "../ports/dispatch/hand-overs.ts";
import type { PeerCalls, PeerDispatch } from "../ports/dispatch/peers.ts";
import type { KnownSettings } from "../ports/dispatch/queues.ts";
import type { Workers } from "../ports/dispatch/workers.ts";
import type { Runtime } from "../shard/runtime.ts";
import { Dispatcher } from "./dispatcher.ts";
import { Peers } from "./peers/peers.ts";
import type { TaskTokens } from "./tokens.ts";
import { WorkerSessions } from "./worker-sessions.ts";

/** What hands out tasks. Runs need it before anything can be said to them, so it begins in two steps. */
export interface Dispatch {
  readonly takers: Takers;
  readonly waitingTasks: WaitingTaskStore;
  /** Tasks are handed out from now on. */
  open(handOvers: HandOvers, calls: PeerCalls): OpenDispatch;
}

/** Handed-out work that is under way. */
export interface OpenDispatch {
  readonly workers: Workers;
  /** Settings of these queues have changed, or what waits in them because of that. */
  readonly settled: Dispatcher["settled"];
  /** Whether a worker, here or at another instance, can do the tasks of a line. */
  readonly isServed: Dispatcher["isServed"];
  /** What other instances say. */
  readonly peerDispatch: PeerDispatch;
  /** Ends the sessions of workers. What they hold stays theirs. */
  close(): Promise<void>;
}

export interface DispatchParts {
  readonly instanceId: string;
  readonly waitingTasks: WaitingTaskStore;
  readonly settings: KnownSettings;
  readonly tokens: TaskTokens;
  readonly log: Log;
  /** How long a session lives after its last sign, milliseconds; 30 s when absent. */
  readonly sessionTimeoutMs?: number | undefined;
}

/** Creates what hands out the tasks of a runtime. */
export function createDispatch(
  { shards, lifecycle, cluster }: Pick<Runtime, "shards" | "lifecycle" | "cluster">,
  parts: DispatchParts,
): Dispatch {
  const { instanceId, waitingTasks, settings, tokens, log } = parts;
  const dispatcher = new Dispatcher({ store: waitingTasks, shards, lifecycle, settings, log });
  return {
    takers: dispatcher,
    waitingTasks,
    open: (handOvers, calls) => {
      const seal = (tenantId: string, ref: HandOverRef): string => tokens.seal(tenantId, ref);
      const peers = new Peers({ self: instanceId, cluster, calls, dispatcher, handOvers, seal, log });
      dispatcher.start(handOvers, peers);
      const owns = (runId: string): boolean => shards.epochOf(shards.shardOf(runId)) !== undefined;
      const workers = new WorkerSessions({ ...parts, dispatcher, handOvers, peers, owns });
      return {
        workers,
        isServed: (line) => dispatcher.isServed(line),
        settled: (queues) => dispatcher.settled(queues),
        peerDispatch: peers,
        close: async () => {
          await workers.stop();
          await peers.stop();
        },
      };
    },
  };
}
