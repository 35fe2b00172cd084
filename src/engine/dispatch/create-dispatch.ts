/** Handed-out work on one instance: who takes tasks, and who waits for them. */
import type { Log } from "../../base/log.ts";
import type { HandOvers, Takers, WaitingTaskStore } from "../ports/dispatch/hand-overs.ts";
import type { Workers } from "../ports/dispatch/workers.ts";
import type { Runtime } from "../shard/runtime.ts";
import { Dispatcher } from "./dispatcher.ts";
import type { TaskTokens } from "./tokens.ts";
import { WorkerSessions } from "./worker-sessions.ts";

/** What hands out tasks. Runs need it before anything can be said to them, so it begins in two steps. */
export interface Dispatch {
  readonly takers: Takers;
  readonly waitingTasks: WaitingTaskStore;
  /** Tasks are handed out from now on. */
  open(handOvers: HandOvers): OpenDispatch;
}

/** Handed-out work that is under way. */
export interface OpenDispatch {
  readonly workers: Workers;
  /** Ends the sessions of workers. What they hold stays theirs. */
  close(): Promise<void>;
}

/** What it stands on. */
export interface DispatchParts {
  readonly instanceId: string;
  readonly waitingTasks: WaitingTaskStore;
  readonly tokens: TaskTokens;
  readonly log: Log;
  /** How long a session lives after its last sign, milliseconds; 30 s when absent. */
  readonly sessionTimeoutMs?: number | undefined;
}

/** Creates what hands out the tasks of a runtime. */
export function createDispatch(
  { shards, lifecycle }: Pick<Runtime, "shards" | "lifecycle">,
  parts: DispatchParts,
): Dispatch {
  const { waitingTasks, log } = parts;
  const dispatcher = new Dispatcher({ store: waitingTasks, shards, lifecycle, log });
  return {
    takers: dispatcher,
    waitingTasks,
    open: (handOvers) => {
      dispatcher.start(handOvers);
      const workers = new WorkerSessions({ ...parts, dispatcher, handOvers });
      return { workers, close: () => workers.stop() };
    },
  };
}
