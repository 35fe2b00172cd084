/** What the tests of limits ask of a bed. */
import type { JsonObject } from "../../../src/base/json/json.ts";
import { startOf } from "../../support/start-of.ts";
import { type Bed, CALLER, type Instance } from "./bed.ts";

const NEVER = new AbortController().signal;

/** A task with a limit. */
export const limited = (limit: object, more: object = {}): JsonObject => ({
  id: "call",
  type: "noop",
  parameters: { output: "done" },
  limit: { name: "crm", ...limit },
  ...more,
});

/** Starts a run; its id. */
export const start = async (instance: Instance, flow: string, input: JsonObject = {}): Promise<string> =>
  (await instance.engine.startRun(CALLER, startOf(flow, { input }), 0)).run.state.runId;

export const startMany = (instance: Instance, flow: string, count: number): Promise<string[]> =>
  Promise.all(Array.from({ length: count }, () => start(instance, flow)));

/** The state of a run once it has ended. */
export const ended = async (instance: Instance, runId: string) =>
  (await instance.engine.waitRun(CALLER, runId, 20_000, NEVER)).state;

/** All slots that tasks have or wait for. */
export const slotsOf = (bed: Bed) =>
  bed.sql<{ run_id: string; state: string; key: string }>(
    "SELECT run_id, state, key FROM orchestrator.limit_slots ORDER BY since, run_id",
  );
