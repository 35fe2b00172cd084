/** Workers that read no streams: they fetch their tasks over REST. */
import { expect, test } from "vitest";
import { RunState } from "../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { WorkerService } from "../../src/gen/orchestrator/v1/worker_service_pb.ts";
import { eventually } from "../support/eventually.ts";
import { holdTasks } from "../support/held-tasks.ts";
import { openWorkerBed } from "../support/worker-service.ts";

const ONE = `  tasks:
    - {id: only, type: worker, parameters: {handler: hold, input: 7}}
  output: "\${only.output}"
`;

interface Fetched {
  readonly tasks?: readonly { readonly taskToken: string; readonly inputJson: string }[];
  readonly cancellations?: readonly { readonly taskToken: string }[];
  readonly drain?: { readonly reason: string };
}

async function open(slots = 1) {
  const bed = await openWorkerBed();
  await bed.register("one", ONE);
  const post = async <T>(path: string, body: object, signal?: AbortSignal): Promise<T> => {
    const headers = { "content-type": "application/json" };
    const init = { method: "POST", headers, body: JSON.stringify(body), ...(signal === undefined ? {} : { signal }) };
    const response = await fetch(`http://${bed.address}/v1/workers${path}`, init);
    expect(response.status, await response.clone().text()).toBe(200);
    return (await response.json()) as T;
  };
  const { sessionId } = await post<{ sessionId: string }>("", { name: "plain", handlers: ["hold"], slots });
  return {
    ...bed,
    sessionId,
    fetchTasks: (wait: string, signal?: AbortSignal) => post<Fetched>(`/${sessionId}:fetch`, { wait }, signal),
    report: async (taskToken: string, report: object) => {
      const request = { reports: [{ taskToken, ...report }] };
      const { results } = await post<{ results: { outcome: string }[] }>(`/${sessionId}:report`, request);
      return results[0]?.outcome;
    },
  };
}

test("a task that comes while a call waits is its answer; without one the answer is empty in time", async () => {
  const { fetchTasks, start, report, reaches, outputOf } = await open();
  expect(await fetchTasks("0s")).toEqual({});
  const begun = performance.now();
  expect(await fetchTasks("0.300s")).toEqual({});
  expect(performance.now() - begun).toBeGreaterThan(250);
  const fetching = fetchTasks("30s");
  const runId = await start("one");
  const [task] = (await fetching).tasks ?? [];
  expect(atob(task?.inputJson ?? "")).toBe("7");
  expect(await report(task?.taskToken ?? "", { acknowledged: {} })).toMatch(/ACCEPTED$/);
  expect(await report(task?.taskToken ?? "", { succeeded: { output: 8 } })).toMatch(/ACCEPTED$/);
  await reaches(runId, RunState.COMPLETED);
  expect(await outputOf(runId)).toBe(8);
});

test("a call gets as many waiting tasks as there are free slots", async () => {
  const { fetchTasks, start, report } = await open(2);
  for (let count = 0; count < 3; count += 1) await start("one");
  const tokens: string[] = [];
  while (tokens.length < 2) {
    const { tasks = [] } = await fetchTasks("10s");
    for (const { taskToken } of tasks) {
      tokens.push(taskToken);
      await report(taskToken, { acknowledged: {} });
    }
  }
  expect(await fetchTasks("0.200s")).toEqual({});
  await report(tokens[0] ?? "", { succeeded: { output: 1 } });
  expect((await fetchTasks("10s")).tasks).toHaveLength(1);
});

// Cause: tasks on their way when the answer left were lost for as long as an acknowledgement may take.
test("tasks on their way come with the same answer, so none is handed out again", async () => {
  const { fetchTasks, start, report } = await open(20);
  const starting = Array.from({ length: 3 }, async () => {
    for (let count = 0; count < 100; count += 1) await start("one");
  });
  let done = 0;
  while (done < 300) {
    const { tasks = [], cancellations } = await fetchTasks("10s");
    expect(cancellations).toBeUndefined();
    const reporting = tasks.map(({ taskToken }) => report(taskToken, { succeeded: { output: 1 } }));
    for (const outcome of await Promise.all(reporting)) expect(outcome).toMatch(/ACCEPTED$/);
    done += tasks.length;
  }
  await Promise.all(starting);
  expect(done).toBe(300);
  expect(await fetchTasks("0s")).toEqual({});
});

test("a worker gets no task between two calls, nor for a call that was broken off", async () => {
  const { fetchTasks, start, client } = await open();
  const broken = new AbortController();
  const fetching = fetchTasks("30s", broken.signal);
  // The call waits at the service.
  await eventually(async () => {
    const { workers } = await client.call(WorkerService.method.listWorkers, {});
    expect(workers.map(({ freeSlotCount }) => freeSlotCount)).toEqual([1]);
  });
  broken.abort();
  await expect(fetching).rejects.toThrow();
  await eventually(async () => {
    const { workers } = await client.call(WorkerService.method.listWorkers, {});
    expect(workers.map(({ freeSlotCount }) => freeSlotCount)).toEqual([0]);
  });
  await start("one");
  const other = await holdTasks(client, ["hold"]);
  expect(new TextDecoder().decode((await other.next()).inputJson)).toBe("7");
});

test("a task that is not acknowledged comes again, and one that was canceled is refused with its report", async () => {
  const { fetchTasks, start, report, client } = await open();
  const runId = await start("one");
  const [first] = (await fetchTasks("10s")).tasks ?? [];
  // It is told to stop the first one.
  expect((await fetchTasks("20s")).cancellations).toMatchObject([{ taskToken: first?.taskToken }]);
  const [second] = (await fetchTasks("20s")).tasks ?? [];
  expect(second?.taskToken).not.toBe(first?.taskToken);
  expect(await report(first?.taskToken ?? "", { acknowledged: {} })).toMatch(/OUTDATED$/);
  expect(await report(second?.taskToken ?? "", { acknowledged: {} })).toMatch(/ACCEPTED$/);
  await client.call(RunService.method.cancelRun, { runId });
  expect(await report(second?.taskToken ?? "", { alive: {} })).toMatch(/CANCEL_REQUESTED$/);
});

test("a drain is told to the next call, and a session that is not there is an error", async () => {
  const { fetchTasks, client, address } = await open();
  const [worker] = (await client.call(WorkerService.method.listWorkers, {})).workers;
  await client.call(WorkerService.method.drainWorker, { workerId: worker?.workerId ?? "", reason: "new version" });
  expect((await fetchTasks("10s")).drain).toMatchObject({ reason: "new version" });
  const init = { method: "POST", headers: { "content-type": "application/json" }, body: "{}" };
  const response = await fetch(`http://${address}/v1/workers/nobody:fetch`, init);
  expect(response.status).toBe(404);
  expect(await response.text()).toContain("WORKER_SESSION_NOT_FOUND");
});
