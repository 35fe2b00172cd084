/** Calls on operations. */
import { isOrchestratorError, toError } from "../../base/errors.ts";
import { keyedOperationId, mintOperationId } from "../../base/ids.ts";
import type { Caller } from "../ports/caller.ts";
import type {
  OperationPosition,
  OperationRequest,
  OperationStore,
  Operations,
  OperationView,
} from "../ports/operations.ts";
import type { ListOrder, RunIndex } from "../ports/run-index.ts";
import type { Residence } from "../shard/residence/residence.ts";
import { waitForEnd } from "../shard/residence/wait-for-end.ts";
import type { Runtime } from "../shard/runtime.ts";
import { createOperationKind, type OperationKindParts } from "./operation-kind.ts";
import type { OperationResident, OperationTypes } from "./operation-rules.ts";
import { createOperationState } from "./operation-state.ts";
import { isUnreadable } from "./operation-store.ts";
import { withCutoff } from "./page-runner.ts";

/** What operations stand on beside the runtime. */
export interface OperationsParts
  extends Pick<OperationKindParts, "store" | "rowsOf" | "observers" | "actions" | "log"> {
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
  readonly #observers: OperationsParts["observers"];
  /** Starts under way, by id: the same request twice at once is one start. */
  readonly #starting = new Map<string, Promise<OperationResident>>();

  constructor(
    runtime: Pick<Runtime, "shards" | "clock" | "submission" | "lifecycle">,
    residence: Residence<OperationTypes>,
    { store, runIndex, observers }: OperationsParts,
  ) {
    this.#runtime = runtime;
    this.#residence = residence;
    this.#store = store;
    this.#runIndex = runIndex;
    this.#observers = observers;
  }

  async startOperation(caller: Caller, request: OperationRequest): Promise<OperationView> {
    if (this.#runtime.lifecycle.stopping) throw toError("SHUTTING_DOWN");
    const id = request.requestId === "" ? this.#newId() : keyedOperationId(caller.tenantId, request.requestId);
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
    order: ListOrder = "newest",
  ): Promise<readonly OperationView[]> {
    return this.#store.list(tenantId, after, limit, order);
  }

  async waitOperation(
    caller: Caller,
    operationId: string,
    waitMs: number,
    signal: AbortSignal,
  ): Promise<OperationView> {
    const view = await this.getOperation(caller, operationId);
    if (view.endedAt !== null || waitMs <= 0) return view;
    const { lifecycle } = this.#runtime;
    // A caller that waits in a loop would be answered again and again without a pause.
    if (lifecycle.draining) throw toError("SHUTTING_DOWN");
    const resident = await this.#residence.open(operationId);
    await waitForEnd(this.#residence, lifecycle, resident, waitMs, signal);
    return this.getOperation(caller, operationId);
  }

  async cancelOperation(caller: Caller, operationId: string): Promise<OperationView> {
    const view = await this.getOperation(caller, operationId);
    if (view.endedAt !== null) return view;
    const { submission, clock } = this.#runtime;
    try {
      const resident = await this.#residence.open(operationId);
      await submission.submit(resident, { type: "cancel", at: clock.now(), by: caller.actor });
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      await this.#endUnread(operationId);
    }
    return this.getOperation(caller, operationId);
  }

  async #endUnread(operationId: string): Promise<void> {
    const { shards } = this.#runtime;
    const shard = shards.shardOf(operationId);
    const epoch = shards.epochOf(shard);
    if (epoch === undefined || !(await this.#store.endUnread({ shard, epoch }, operationId)))
      throw toError("OPERATION_MOVED", { operationId });
    for (const observer of this.#observers) observer.endedUnread(operationId);
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
    const { shards, clock } = this.#runtime;
    const shard = shards.pick();
    if (shard === undefined) throw toError("NO_SHARD");
    return mintOperationId(shard, clock.now());
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
