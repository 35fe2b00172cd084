import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { toError } from "../../../../src/base/errors.ts";
import { silentLog } from "../../../../src/base/log.ts";
import { systemClock } from "../../../../src/base/time/clock.ts";
import type { Outcome } from "../../../../src/engine/machine/events.ts";
import type { ToolCall } from "../../../../src/engine/ports/tools.ts";
import type { RemoteAdapter } from "../../../../src/tools/adapter.ts";
import { createNoopAdapter } from "../../../../src/tools/noop/noop.ts";
import { failedOutcome } from "../../../../src/tools/outcome.ts";
import { createToolCaller, type ToolCallerOptions } from "../../../../src/tools/path/caller.ts";
import type { ToolMetrics } from "../../../../src/tools/path/observe-step.ts";
import { aCall } from "../a-call.ts";

const OK: Outcome = { ok: true, output: null };
const BROKEN = failedOutcome("CONNECTION_LOST", "gone", { retryable: true });
const POLICIES = { failuresToOpen: 3, openMs: 1_000, maxOpenMs: 4_000, maxConcurrent: 2, maxQueued: 2 };

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A caller over one adapter whose answers the test gives. */
function openCaller(run: RemoteAdapter["run"], more: Partial<ToolCallerOptions> = {}) {
  const adapter: RemoteAdapter = {
    type: "http",
    local: false,
    placeOf: (call) => ({ origin: (call.input as { to: string }).to, service: "" }),
    run,
  };
  const tools = createToolCaller({
    adapters: [adapter],
    policies: POLICIES,
    log: silentLog,
    clock: systemClock,
    ...more,
  });
  const signal = new AbortController().signal;
  return {
    tools,
    call: (to = "a", by: Partial<ToolCall> = {}, own: AbortSignal = signal) =>
      tools.call(aCall("http", { to }, by), { signal: own }) as Promise<Outcome>,
    breaker: (to = "a") => tools.listBreakers().find((view) => view.origin === to),
  };
}

/** A promise that the test settles. */
function openGate() {
  const gates: ((outcome: Outcome) => void)[] = [];
  const run = () => new Promise<Outcome>((resolve) => gates.push(resolve));
  return { gates, run };
}

describe("local adapters", () => {
  test("noop gives back its output, or null, and leaves no target behind", async () => {
    const tools = createToolCaller({ adapters: [createNoopAdapter()], log: silentLog, clock: systemClock });
    const stop = new AbortController();
    expect(await tools.call(aCall("noop", { output: { a: 1 } }), stop)).toEqual({ ok: true, output: { a: 1 } });
    expect(await tools.call(aCall("noop", {}), stop)).toEqual({ ok: true, output: null });
    expect(tools.listBreakers()).toEqual([]);
  });

  test("no signal is made for an adapter that asks for none", async () => {
    const tools = createToolCaller({ adapters: [createNoopAdapter()], log: silentLog, clock: systemClock });
    const stop = {
      get signal(): AbortSignal {
        throw new Error("nobody needs it");
      },
    };
    expect(await tools.call(aCall("noop", {}), stop)).toEqual({ ok: true, output: null });
  });

  test("a task type without adapter fails for good", async () => {
    const tools = createToolCaller({ adapters: [], log: silentLog, clock: systemClock });
    const outcome = await tools.call(aCall("noop", {}), new AbortController());
    expect(outcome).toMatchObject({ ok: false, error: { type: "TOOL_MISSING", retryable: false, noEffect: true } });
  });
});

describe("adapters that throw", () => {
  test("a bug is a retryable error of unknown effect that tells nothing of its insides", async () => {
    const error = vi.fn();
    const { call } = openCaller(() => Promise.reject(new Error("password=hunter2")), { log: { ...silentLog, error } });
    const outcome = await call();
    expect(outcome).toMatchObject({ ok: false, error: { type: "TOOL_FAILED", retryable: true } });
    expect(JSON.stringify(outcome)).not.toContain("hunter2");
    expect(error).toHaveBeenCalledOnce();
  });

  test("an error of the catalogue keeps its code", async () => {
    const { call } = openCaller(() => Promise.reject(toError("GRAPH_NOT_LOADED", { graph: "g" })));
    expect(await call()).toMatchObject({ ok: false, error: { type: "GRAPH_NOT_LOADED", retryable: false } });
  });
});

describe("breaker", () => {
  test("opens after failures in a row, puts calls off, tries one call when its time is over, closes when that is well", async () => {
    const answers = [BROKEN, BROKEN, OK, BROKEN, BROKEN, BROKEN, BROKEN, OK, OK];
    const run = vi.fn(async () => answers.shift() ?? OK);
    const { call, breaker } = openCaller(run);
    for (let made = 0; made < 6; made += 1) await call();
    expect(breaker()).toMatchObject({ state: "OPEN", failuresInRow: 3, reopensAt: Date.now() + 1_000 });

    const refused = await call();
    expect(refused).toMatchObject({ ok: false, error: { type: "BREAKER_OPEN", retryable: true, noEffect: true } });
    const deferMs = refused.ok ? 0 : (refused.deferMs ?? 0);
    expect(deferMs).toBeGreaterThanOrEqual(1_000);
    expect(deferMs).toBeLessThanOrEqual(1_250);
    expect(refused.ok ? 0 : refused.error.nextRetryDelayMs).toBe(deferMs);
    expect(run).toHaveBeenCalledTimes(6);

    vi.advanceTimersByTime(1_000);
    await call(); // the probe fails: open again, twice as long
    expect(breaker()).toMatchObject({ state: "OPEN", reopensAt: Date.now() + 2_000 });
    vi.advanceTimersByTime(2_000);
    expect(await call()).toEqual(OK);
    expect(breaker()).toMatchObject({ state: "CLOSED", failuresInRow: 0, reopensAt: null });
    expect(run).toHaveBeenCalledTimes(8);
  });

  // Cause: every run of a task that always failed waited for a probe of its own, one each 30 s, so two hundred runs
  // would have taken hours to fail.
  test("a call that was deferred for as long as a breaker stays open at most is made", async () => {
    const run = vi.fn(async () => BROKEN);
    const { call } = openCaller(run);
    for (let made = 0; made < 3; made += 1) await call();
    expect(await call("a", { waitedMs: 3_999 })).toMatchObject({ error: { type: "BREAKER_OPEN" } });
    expect(await call("a", { waitedMs: 4_000 })).toMatchObject({ error: { type: "CONNECTION_LOST" } });
    expect(run).toHaveBeenCalledTimes(4);
  });

  test("lets one probe through and puts the calls beside it off", async () => {
    const { gates, run } = openGate();
    let broken = true;
    const { call, breaker } = openCaller(() => (broken ? Promise.resolve(BROKEN) : run()));
    for (let made = 0; made < 3; made += 1) await call();
    vi.advanceTimersByTime(1_000);
    broken = false;
    const probe = call();
    expect(breaker()?.state).toBe("HALF_OPEN");
    expect(await call()).toMatchObject({ ok: false, error: { type: "BREAKER_OPEN" } });
    gates[0]?.(OK);
    expect(await probe).toEqual(OK);
    expect(breaker()?.state).toBe("CLOSED");
  });

  test("counts neither refusals of the request, nor 429, nor cancellations, and counts for each origin", async () => {
    const answers = [
      failedOutcome("NOT_FOUND", "", { retryable: false }),
      failedOutcome("CANCELED", "", { retryable: false }),
      failedOutcome("TOO_MANY_REQUESTS", "", { retryable: true }),
    ];
    const { call, breaker } = openCaller(async (made) =>
      (made.input as { to: string }).to === "a" ? BROKEN : (answers.shift() ?? OK),
    );
    for (let made = 0; made < 3; made += 1) {
      await call("a");
      await call("b");
      vi.advanceTimersByTime(100);
    }
    expect(breaker("a")?.state).toBe("OPEN");
    expect(breaker("b")).toMatchObject({ state: "CLOSED", failuresInRow: 0 });
  });

  test("reports its changes to metrics and log", async () => {
    const metrics = { called: vi.fn<ToolMetrics["called"]>(), breakerChanged: vi.fn<ToolMetrics["breakerChanged"]>() };
    const { call } = openCaller(async () => BROKEN, { metrics });
    for (let made = 0; made < 4; made += 1) await call();
    expect(metrics.breakerChanged.mock.calls).toEqual([["OPEN"]]);
    expect(metrics.called.mock.calls.map(([type, result]) => [type, result])).toEqual([
      ["http", "CONNECTION_LOST"],
      ["http", "CONNECTION_LOST"],
      ["http", "CONNECTION_LOST"],
      ["http", "deferred"],
    ]);
  });
});

describe("bulkhead", () => {
  test("runs so many at once, queues so many, puts the rest off", async () => {
    const { gates, run } = openGate();
    const { call, breaker } = openCaller(run);
    const first = [call(), call()];
    const queued = [call(), call()];
    expect(breaker()).toMatchObject({ running: 2, queued: 2 });
    const refused = await call();
    expect(refused).toMatchObject({ ok: false, error: { type: "BULKHEAD_FULL", noEffect: true } });
    expect(refused.ok || refused.deferMs).toBeGreaterThanOrEqual(1_000);
    expect(gates).toHaveLength(2);
    for (const gate of gates.splice(0)) gate(OK);
    await Promise.all(first);
    await vi.waitFor(() => expect(gates).toHaveLength(2));
    for (const gate of gates.splice(0)) gate(OK);
    expect(await Promise.all(queued)).toEqual([OK, OK]);
    expect(breaker()).toMatchObject({ running: 0, queued: 0 });
  });

  test("a queued call ends at once when it is aborted, and never reaches the adapter", async () => {
    const { gates, run } = openGate();
    const { call } = openCaller(run);
    const running = [call(), call()];
    const controller = new AbortController();
    const queued = call("a", {}, controller.signal);
    controller.abort();
    expect(await queued).toMatchObject({ ok: false, error: { type: "CANCELED" } });
    for (const gate of gates) gate(OK);
    await Promise.all(running);
    await vi.advanceTimersByTimeAsync(1);
    expect(gates).toHaveLength(2);
  });
});

describe("neighbours", () => {
  // Cause: breaker, bulkhead and pause were kept for the origin, so one path that failed or hung held back every flow
  // that called the same host.
  test("a task that always fails does not hold back another flow that calls the same origin", async () => {
    const { call, tools } = openCaller(async ({ flowId }) => (flowId === "broken" ? BROKEN : OK));
    for (let made = 0; made < 3; made += 1) await call("a", { flowId: "broken" });
    expect(await call("a", { flowId: "broken" })).toMatchObject({ error: { type: "BREAKER_OPEN" } });
    expect(await call("a", { flowId: "healthy" })).toEqual(OK);
    expect(await call("a", { flowId: "broken", path: "other" })).toMatchObject({ error: { type: "CONNECTION_LOST" } });
    expect(tools.listBreakers().map(({ flowId, task, state }) => [flowId, task, state])).toEqual([
      ["broken", "fetch", "OPEN"],
      ["healthy", "fetch", "CLOSED"],
      ["broken", "other", "CLOSED"],
    ]);
  });

  test("a task that hangs does not take the slots of another flow that calls the same origin", async () => {
    const { gates, run } = openGate();
    const { call } = openCaller((made) => (made.flowId === "hangs" ? run() : Promise.resolve(OK)));
    const hanging = Array.from({ length: 4 }, () => call("a", { flowId: "hangs" }));
    expect(await call("a", { flowId: "hangs" })).toMatchObject({ error: { type: "BULKHEAD_FULL" } });
    expect(await call("a", { flowId: "healthy" })).toEqual(OK);
    while (gates.length > 0) {
      for (const gate of gates.splice(0)) gate(OK);
      await vi.advanceTimersByTimeAsync(1);
    }
    await Promise.all(hanging);
  });

  test("children of a group and visits of a state count as one task", async () => {
    const { call, tools } = openCaller(async () => OK);
    for (const path of ["each.0", "each.1", "each.1.7", "state~1", "state~2", "pay~compensate"])
      await call("a", { path });
    expect(tools.listBreakers().map(({ task }) => task)).toEqual(["each", "state", "pay~compensate"]);
  });

  test("429 uses up attempts, says when to come back, and defers nothing", async () => {
    const busy = failedOutcome("TOO_MANY_REQUESTS", "busy", { retryable: true, nextRetryDelayMs: 1e9 });
    const run = vi.fn(async () => busy);
    const { call, breaker } = openCaller(run);
    for (let made = 0; made < 8; made += 1) {
      const outcome = await call();
      expect(outcome).toMatchObject({ ok: false, error: { retryable: true, nextRetryDelayMs: 3_600_000 } });
      expect(outcome).not.toHaveProperty("deferMs");
    }
    expect(run).toHaveBeenCalledTimes(8);
    expect(breaker()).toMatchObject({ state: "CLOSED", failuresInRow: 0 });
  });
});

describe("deadline", () => {
  test("aborts the adapter when the attempt's time is over, with the type TIMEOUT", async () => {
    const { call } = openCaller(
      (_, signal) => new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
    );
    const outcome = call("a", { timeoutMs: 500 });
    await vi.advanceTimersByTimeAsync(500);
    expect(await outcome).toMatchObject({ ok: false, error: { type: "TIMEOUT", retryable: true } });
    expect(vi.getTimerCount()).toBe(0);
  });

  test("does not arm a timer that would fire at once because it is too long", async () => {
    const { gates, run } = openGate();
    const { call } = openCaller(run);
    const outcome = call("a", { timeoutMs: 30 * 86_400_000 });
    await vi.advanceTimersByTimeAsync(10);
    gates[0]?.(OK);
    expect(await outcome).toEqual(OK);
  });
});
