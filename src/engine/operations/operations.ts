/** Calls on operations. */
import { createHash, randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { isOrchestratorError, toError } from "../../base/errors.ts";
import type { Caller } from "../ports/caller.ts";
import type {
  OperationPosition,
  OperationRequest,
  OperationStore,
  Operations,
  OperationView,
} from "../ports/operations.ts";
import type { RunIndex } from "../ports/run-index.ts";
import type { Residence } from "../shard/residence/residence.ts";
import type { Runtime } from "../shard/runtime.ts";
import { createOperationKind, type OperationKindParts } from "./operation-kind.ts";
import type { OperationResident, OperationTypes } from "./operation-rules.ts";
import { createOperationState } from "./operation-state.ts";
import { withCutoff } from "./page-runner.ts";

/** How often a wait looks into the store, milliseconds. */
const LOOK_EVERY_MS = 250;

/** Ids that are tried for one whose shard is ours. */
const MAX_ID_TRIES = 1_000;

const DIGITS = "0123456789abcdefghjkmnpqrstvwxyz";
const ID_LENGTH = 26;

/** What operations stand on beside the runtime. */
export interface OperationsParts extends Pick<OperationKindParts, "store" | "rowsOf" | "actions" | "log"> {
  readonly runIndex: Pick<RunIndex, "listRuns" | "countRuns">;
}

/** Adds operations to a runtime. */
export function createOperations(runtime: Runtime, parts: OperationsParts): Operations {
  const { clock, shards, submission, lifecycle } = runtime;
  const residence = runtime.addKind<OperationTypes>(() =>
    createOperationKind({ ...parts, clock, submission, lifecycle }),
  );
  return new OperationCalls({ shards, clock, submission, lifecycle }, residence, parts);
}

class OperationCalls implements Operations {
  readonly #runtime: Pick<Runtime, "shards" | "clock" | "submission" | "lifecycle">;
  readonly #residence: Residence<OperationTypes>;
  readonly #store: OperationStore;
  readonly #runIndex: Pick<RunIndex, "countRuns">;
  /** Starts under way, by id: the same request twice at once is one start. */
  readonly #starting = new Map<string, Promise<OperationResident>>();

  constructor(
    runtime: Pick<Runtime, "shards" | "clock" | "submission" | "lifecycle">,
    residence: Residence<OperationTypes>,
    { store, runIndex }: OperationsParts,
  ) {
    this.#runtime = runtime;
    this.#residence = residence;
    this.#store = store;
    this.#runIndex = runIndex;
  }

  async startOperation(caller: Caller, request: OperationRequest): Promise<OperationView> {
    if (this.#runtime.lifecycle.stopping) throw toError("SHUTTING_DOWN");
    const id = request.requestId === "" ? this.#newId() : idOf(caller.tenantId, request.requestId);
    const starting = this.#starting.get(id) ?? this.#openOrStart(caller, id, request);
    this.#starting.set(id, starting);
    try {
      const resident = await starting;
      if (resident.entity.requestHash !== request.requestHash)
        throw toError("REQUEST_ID_REUSED", { requestId: request.requestId });
      return await this.getOperation(caller, id);
    } finally {
      this.#starting.delete(id);
    }
  }

  async getOperation({ tenantId }: Caller, operationId: string): Promise<OperationView> {
    const found = await this.#store.find(tenantId, operationId);
    if (found === null) throw toError("OPERATION_NOT_FOUND", { operationId });
    return found;
  }

  listOperations(
    { tenantId }: Caller,
    after: OperationPosition | null,
    limit: number,
  ): Promise<readonly OperationView[]> {
    return this.#store.list(tenantId, after, limit);
  }

  async waitOperation(
    caller: Caller,
    operationId: string,
    waitMs: number,
    signal: AbortSignal,
  ): Promise<OperationView> {
    const until = performance.now() + waitMs;
    for (;;) {
      const view = await this.getOperation(caller, operationId);
      const restMs = until - performance.now();
      if (view.endedAt !== null || restMs <= 0 || signal.aborted || this.#runtime.lifecycle.draining) return view;
      await sleep(Math.min(LOOK_EVERY_MS, restMs));
    }
  }

  async cancelOperation(caller: Caller, operationId: string): Promise<OperationView> {
    const view = await this.getOperation(caller, operationId);
    if (view.endedAt !== null) return view;
    const { submission, clock } = this.#runtime;
    const resident = await this.#residence.open(operationId);
    await submission.submit(resident, { type: "cancel", at: clock.now(), by: caller.actor });
    return this.getOperation(caller, operationId);
  }

  /** Only the owner of the shard starts it, and one call at a time: so there is no second start of an id. */
  async #openOrStart(caller: Caller, id: string, request: OperationRequest): Promise<OperationResident> {
    const { shards, clock, submission } = this.#runtime;
    const shard = shards.shardOf(id);
    if (shards.epochOf(shard) === undefined) throw toError("OPERATION_MOVED", { operationId: id });
    if (request.requestId !== "") {
      const known = await this.#residence.open(id).catch((error: unknown) => {
        if (isOrchestratorError(error) && error.code === "OPERATION_NOT_FOUND") return null;
        throw error;
      });
      if (known !== null) return known;
    }
    const at = clock.now();
    const { action, target, requestHash } = request;
    const matched =
      target.type === "runs"
        ? target.runIds.length
        : sum((await this.#runIndex.countRuns(caller, withCutoff(target.filter, at))).map(({ count }) => count));
    const resident = this.#residence.begin(id, shard, at, createOperationState(id));
    const { tenantId, actor: by } = caller;
    await submission.submit(resident, { type: "start", at, tenantId, by, action, target, matched, requestHash });
    return resident;
  }

  #newId(): string {
    const { shards } = this.#runtime;
    const picked = shards.pick();
    if (picked === undefined) throw toError("NO_SHARD");
    for (let tries = 0; tries < MAX_ID_TRIES; tries += 1) {
      const id = toId(randomBytes(ID_LENGTH));
      if (shards.epochOf(shards.shardOf(id)) !== undefined) return id;
    }
    throw toError("NO_SHARD");
  }
}

/** The id of an operation that is started with a request id: the same start finds it again. */
function idOf(tenantId: string, requestId: string): string {
  return toId(
    createHash("sha256")
      .update(JSON.stringify([tenantId, requestId]))
      .digest(),
  );
}

/** `~` keeps it apart from the ids of runs that callers choose, and stands in the path of a URL as it is. */
function toId(bytes: Uint8Array): string {
  let id = "op~";
  for (let at = 0; at < ID_LENGTH; at += 1) id += DIGITS[(bytes[at] ?? 0) & 31];
  return id;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
