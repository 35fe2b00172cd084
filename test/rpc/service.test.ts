/**
 * The API on the real engine and store, in a process of its own: what the fakes of the other files promise holds here
 * as well.
 */
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ApprovalService } from "../../src/gen/orchestrator/v1/approval_service_pb.ts";
import { FlowService } from "../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { TemplateService } from "../../src/gen/orchestrator/v1/template_service_pb.ts";
import { openTestService, type TestService } from "../clients/service.ts";
import { type Answer, openClients, type ProtocolClient } from "./support/clients.ts";

const FLOW = `
id: api-suite
version: "1"
variables: [{name: n, type: integer, required: true}]
workflow:
  tasks:
    - {id: first, type: noop, parameters: {output: "\${n}"}}
    - {id: fan, type: map, depends_on: [first], parameters: {items: "\${[1, 2, 3]}", task: {type: noop, parameters: {output: "\${item * n}"}}}}
    - {id: ask, type: approval, depends_on: [fan], timeout: 3600, parameters: {title: "Go on?", assignees: [finance]}}
    - {id: wait-for, type: signal, depends_on: [ask], parameters: {name: go}}
    - {id: last, type: noop, depends_on: [wait-for], parameters: {output: {sum: "\${n + 1}"}}}
  output: {result: "\${last.output}"}
`;

let service: TestService;
let clients: readonly ProtocolClient[];

beforeAll(async () => {
  service = await openTestService();
  clients = openClients(service.address);
  const [grpc] = clients;
  const registered = await grpc?.ask(FlowService.method.registerFlow, { definition: { case: "source", value: FLOW } });
  expect(registered?.ok === false ? registered.message : "").toBe("");
  await grpc?.ask(FlowService.method.registerFlow, { definition: { case: "source", value: ANYTHING } });
}, 90_000);

const ANYTHING = `
id: anything
version: "1"
variables: [{name: n, type: integer}, {name: a, type: array}]
workflow:
  tasks:
    - {id: first, type: noop, parameters: {output: "\${n}"}}
`;

afterAll(async () => {
  for (const client of clients) client.close();
  await service.close();
});

function jsonOf(answer: Answer) {
  if (!answer.ok) throw new Error(`${answer.reason}: ${answer.message}`);
  return answer.json as Record<string, Record<string, unknown>>;
}

function reasonOf(answer: Answer): string {
  return answer.ok ? "OK" : answer.reason;
}

describe.each(["grpc", "grpc-web", "connect json", "connect proto", "rest"])("%s", (name) => {
  const ask: ProtocolClient["ask"] = (method, init, options) => {
    const client = clients.find((one) => one.name === name);
    if (client === undefined) throw new Error(`no client ${name}`);
    return client.ask(method, init, options);
  };
  const { method } = RunService;

  test("a run goes through tasks, children, an approval and a signal to its end", async () => {
    const key = name.replaceAll(" ", "-");
    const start = {
      flowId: "api-suite",
      inputValue: { case: "input" as const, value: { n: 4 } },
      labels: { protocol: key },
      requestId: `life-${key}`,
    };
    const started = jsonOf(
      await ask(method.startRun, { ...start, wait: { seconds: 5n, nanos: 1 } }, { timeoutMs: 2_000 }),
    );
    expect(started.run).toMatchObject({
      state: "RUN_STATE_WAITING",
      taskCounts: { total: 8, completed: 5, waiting: 1, pending: 2 },
    });
    const runId = String(started.run?.runId);
    expect(jsonOf(await ask(method.startRun, start)).run?.runId).toBe(runId);

    const tasks = jsonOf(await ask(method.listRunTasks, { runId })) as unknown as {
      tasks: { taskId: string; state: string }[];
    };
    expect(tasks.tasks.map((task) => task.taskId)).toEqual([
      "first",
      "fan",
      "fan.0",
      "fan.1",
      "fan.2",
      "ask",
      "wait-for",
      "last",
    ]);
    const waiting = jsonOf(
      await ask(method.listRunTasks, { runId, filter: 'state == "WAITING"' }),
    ) as unknown as typeof tasks;
    expect(waiting.tasks.map((task) => task.taskId)).toEqual(["ask"]);
    expect(jsonOf(await ask(method.getRunTask, { runId, taskId: "fan.2" })).task).toMatchObject({
      output: 12,
      parentTaskId: "fan",
    });
    expect(reasonOf(await ask(method.getRunTask, { runId, taskId: "fan.9" }))).toBe("RUN_TASK_NOT_FOUND");

    const open = jsonOf(
      await ask(ApprovalService.method.listApprovals, { filter: `run_id == "${runId}" && "finance" in assignees` }),
    ) as unknown as { approvals: { approvalId: string }[] };
    expect(open.approvals).toMatchObject([{ taskId: "ask", state: "APPROVAL_STATE_PENDING", message: "Go on?" }]);
    const decision = {
      runId,
      approvalId: open.approvals[0]?.approvalId ?? "",
      decision: 1 as const,
      comment: "fine",
      dataValue: { case: "data" as const, value: { limit: 5 } },
    };
    expect(
      jsonOf(await ask(ApprovalService.method.decideApproval, { ...decision, requestId: "d" })).approval,
    ).toMatchObject({ state: "APPROVAL_STATE_APPROVED", data: { limit: 5 } });
    expect(reasonOf(await ask(ApprovalService.method.decideApproval, { ...decision, requestId: "d" }))).toBe("OK");
    expect(reasonOf(await ask(ApprovalService.method.decideApproval, { ...decision, decision: 2 }))).toBe(
      "APPROVAL_DECIDED",
    );

    const payload = { case: "dataJson" as const, value: Buffer.from('{"a":1}') };
    await ask(method.signalRun, { runId, signalName: "go", dataValue: payload, requestId: "s" });
    await ask(method.signalRun, { runId, signalName: "go", dataValue: payload, requestId: "s" });
    const ended = jsonOf(await ask(method.waitRun, { runId, wait: { seconds: 10n } }));
    expect(ended.run).toMatchObject({ state: "RUN_STATE_COMPLETED", output: { result: { sum: 5 } } });

    const counted = jsonOf(
      await ask(method.countRuns, { filter: `labels["protocol"] == "${key}" && phase == "COMPLETED"` }),
    );
    expect(counted.count).toBe("1");
    const listed = jsonOf(
      await ask(method.listRuns, {
        filter: `labels.protocol == "${key}" && end_time != null && root_run_id == "${runId}"`,
      }),
    ) as unknown as { runs: { runId: string }[] };
    expect(listed.runs.map((run) => run.runId)).toEqual([runId]);
    const kinds: string[] = [];
    const attempts = new Set<string>();
    for (let pageToken = ""; ; ) {
      const page = jsonOf(await ask(method.listRunEvents, { runId, pageSize: 4, pageToken })) as unknown as {
        events: { kind: string; sequence: number; attempt?: number }[];
        nextPageToken?: string;
      };
      for (const event of page.events) kinds.push(toEventName(event.kind));
      for (const { kind, attempt = 0 } of page.events) attempts.add(`${toEventName(kind)} ${attempt}`);
      if (page.nextPageToken === undefined) break;
      pageToken = page.nextPageToken;
    }
    expect(kinds.filter((kind) => kind === "signal.received")).toHaveLength(1);
    expect([kinds[0], kinds.at(-1)]).toEqual(["run.started", "run.completed"]);
    expect([...attempts]).toEqual(expect.arrayContaining(["run.started 0", "task.waiting 1", "task.completed 1"]));
    expect(kinds).toHaveLength(Number(ended.run?.sequence));
  });

  test("runs are counted by every kind of filter", async () => {
    const own = `counted-${name.replaceAll(" ", "-")}`;
    const source = `{id: ${own}, version: "1", workflow: {tasks: [{id: go, type: signal}]}}`;
    jsonOf(await ask(FlowService.method.registerFlow, { definition: { case: "source", value: source } }));
    const start = async (userId: string): Promise<string> =>
      String(jsonOf(await ask(method.startRun, { flowId: own, userId, labels: { own } })).run?.runId);
    const [first = ""] = await Promise.all([start("ada"), start("ada"), start("bob")]);
    jsonOf(await ask(method.signalRun, { runId: first, signalName: "go" }));
    jsonOf(await ask(method.waitRun, { runId: first, wait: { seconds: 10n } }));
    const count = async (filter: string) => {
      const { count: all, stateCounts } = jsonOf(await ask(method.countRuns, { filter })) as unknown as {
        count?: string;
        stateCounts?: { state: string; count: string }[];
      };
      return [
        Number(all ?? 0),
        ...(stateCounts ?? []).map((one) => `${one.state.slice("RUN_STATE_".length)} ${one.count}`),
      ];
    };
    const both = [3, "COMPLETED 1", "WAITING 2"];
    expect(await count(`flow_id == "${own}"`)).toEqual(both);
    expect(await count(`flow_id in ["${own}", "none"] && state in ["WAITING", "FAILED"]`)).toEqual([2, "WAITING 2"]);
    expect(await count(`flow_id == "${own}" && !(state == "WAITING")`)).toEqual([1, "COMPLETED 1"]);
    expect(await count(`flow_id == "${own}" && state != "COMPLETED"`)).toEqual([2, "WAITING 2"]);
    expect(await count(`flow_id == "${own}" && phase == "RUNNING"`)).toEqual([2, "WAITING 2"]);
    expect(await count(`flow_id == "${own}" && has(state)`)).toEqual(both);
    expect(await count('flow_id == "none"')).toEqual([0]);
    expect(await count(`labels["own"] == "${own}"`)).toEqual(both);
    expect(await count(`flow_id == "${own}" && (user_id == "bob" || state == "COMPLETED")`)).toEqual([
      2,
      "COMPLETED 1",
      "WAITING 1",
    ]);
    expect(await count(`flow_id == "${own}" && end_time == null`)).toEqual([2, "WAITING 2"]);
    const [everything] = await count("");
    expect(everything).toBeGreaterThanOrEqual(3);
    jsonOf(await ask(method.signalRun, { runId: await start("ada"), signalName: "go" }));
    expect((await count(""))[0]).toBe(Number(everything) + 1);
  });

  test("a run is held, released, cancelled and terminated", async () => {
    const begin = async () =>
      String(
        jsonOf(await ask(method.startRun, { flowId: "api-suite", inputValue: { case: "input", value: { n: 1 } } })).run
          ?.runId,
      );
    const runId = await begin();
    expect(jsonOf(await ask(method.pauseRun, { runId, reason: "lunch" })).run).toMatchObject({
      state: "RUN_STATE_PAUSED",
      holds: [{ kind: "HOLD_KIND_OPERATOR", reason: "lunch" }],
    });
    expect(jsonOf(await ask(method.resumeRun, { runId })).run?.holds).toBeUndefined();
    expect(jsonOf(await ask(method.cancelRun, { runId, reason: "enough" })).run?.cause).toMatchObject({
      reason: "enough",
    });
    await ask(method.waitRun, { runId, wait: { seconds: 10n } });
    expect(jsonOf(await ask(method.cancelRun, { runId })).run?.state).toBe("RUN_STATE_CANCELED");
    expect(reasonOf(await ask(method.signalRun, { runId, signalName: "go" }))).toBe("RUN_FINISHED");
    const other = await begin();
    expect(jsonOf(await ask(method.terminateRun, { runId: other, reason: "stuck" })).run?.state).toBe(
      "RUN_STATE_TERMINATED",
    );
    expect(reasonOf(await ask(method.terminateRun, { runId: other }))).toBe("OK");
  });

  // Cause: answers held the input as messages, five times as large as its text: the run was started and its caller told
  // MESSAGE_TOO_LARGE, again and again.
  test("a start with a large input is answered well, and so is every call that shows the run", async () => {
    const text = `{"n":1,"a":[${"1,".repeat(600_000)}1]}`;
    const start = {
      flowId: "anything",
      inputValue: { case: "inputJson" as const, value: Buffer.from(text) },
      requestId: `large-${name.replaceAll(" ", "-")}`,
    };
    const ref = { sizeBytes: String(text.length), contentType: "application/json" };
    const started = jsonOf(await ask(method.startRun, start)).run as Record<string, unknown>;
    expect(started.inputRef).toMatchObject(ref);
    const runId = String(started.runId);
    const again = jsonOf(await ask(method.startRun, start));
    expect(again).toMatchObject({ started: true, run: { runId } });
    for (const shown of [await ask(method.getRun, { runId }), await ask(method.waitRun, { runId, wait: {} })])
      expect(jsonOf(shown).run?.inputRef).toMatchObject(ref);
    const full = jsonOf(await ask(method.getRun, { runId, readMask: { paths: ["input_json"] } }));
    expect(Buffer.from(String(full.run?.inputJson), "base64").toString()).toBe(text);
  });

  test("what cannot be is refused by the engine with its own errors", async () => {
    expect(reasonOf(await ask(method.startRun, { flowId: "api-suite" }))).toBe("FLOW_INPUT_INVALID");
    expect(reasonOf(await ask(method.startRun, { flowId: "nope" }))).toBe("FLOW_NOT_FOUND");
    expect(reasonOf(await ask(method.getRun, { runId: "nope" }))).toBe("RUN_NOT_FOUND");
    expect(reasonOf(await ask(method.getRun, { runId: "' OR 1=1 --" }))).toBe("RUN_NOT_FOUND");
    expect(
      reasonOf(
        await ask(method.listRuns, { filter: `labels["' OR 1=1 --"] == "'; DROP TABLE orchestrator.runs; --"` }),
      ),
    ).toBe("OK");
    const changed = FLOW.replace("Go on?", "Really?");
    expect(
      reasonOf(await ask(FlowService.method.registerFlow, { definition: { case: "source", value: changed } })),
    ).toBe("FLOW_VERSION_EXISTS");
    expect(
      reasonOf(await ask(FlowService.method.registerFlow, { definition: { case: "source", value: "a: [" } })),
    ).toBe("FLOW_SOURCE_INVALID");
  });

  test("flows and templates are shown", async () => {
    expect(jsonOf(await ask(FlowService.method.getFlow, { flowId: "api-suite" })).flow).toMatchObject({
      version: "1",
      latest: true,
      taskCount: 5,
      source: FLOW,
    });
    const flows = jsonOf(
      await ask(FlowService.method.listFlows, { filter: 'kind == "TASKS" && flow_id == "api-suite"' }),
    ) as unknown as { flows: { flowId: string }[] };
    expect(flows.flows.map((flow) => flow.flowId)).toEqual(["api-suite"]);
    const versions = jsonOf(await ask(FlowService.method.listFlowVersions, { flowId: "api-suite" })) as unknown as {
      flows: object[];
    };
    expect(versions.flows).toHaveLength(1);
    expect(String(jsonOf(await ask(FlowService.method.getFlowGraph, { flowId: "api-suite" })).mermaid)).toContain(
      "ask",
    );
    const templates = jsonOf(await ask(TemplateService.method.listTemplates, {})) as unknown as {
      templates: { templateId: string }[];
    };
    const templateId = templates.templates[0]?.templateId ?? "";
    expect(jsonOf(await ask(TemplateService.method.getTemplate, { templateId })).template?.source).toContain(
      templateId,
    );
  });
});

test("a watch shows a run from its start to its end, and can be resumed anywhere", async () => {
  const client = createClient(
    RunService,
    createConnectTransport({ baseUrl: `http://${service.address}`, httpVersion: "1.1" }),
  );
  const { run } = await client.startRun({ flowId: "api-suite", inputValue: { case: "input", value: { n: 2 } } });
  const runId = run?.runId ?? "";
  const sequences: number[] = [];
  const cursors: string[] = [];
  let end = "";
  for await (const { frame } of client.watchRun({ runId })) {
    if (frame.case === "snapshot") await client.terminateRun({ runId });
    if (frame.case === "event") {
      sequences.push(frame.value.sequence);
      cursors.push(frame.value.cursor);
    }
    if (frame.case === "end") end = String(frame.value.run?.sequence);
  }
  expect(sequences.at(-1)).toBe(Number(end));
  expect(sequences).toEqual(sequences.map((_, index) => (sequences[0] ?? 0) + index));
  for (const [index, cursor] of cursors.entries()) {
    const resumed: number[] = [];
    for await (const { frame } of client.watchRun({ runId, cursor }))
      if (frame.case === "event") resumed.push(frame.value.sequence);
    expect(resumed).toEqual(sequences.slice(index + 1));
  }
});

test("approvals that a run asks for at the same moment are all listed, page by page, the oldest first", async () => {
  const [grpc] = clients;
  if (grpc === undefined) throw new Error("no client");
  const tasks = ["b", "a", "c"].map((id) => `    - {id: ${id}, type: approval, parameters: {title: "${id}?"}}`);
  const source = `id: many-approvals\nversion: "1"\nworkflow:\n  tasks:\n${tasks.join("\n")}\n`;
  await grpc.ask(FlowService.method.registerFlow, { definition: { case: "source", value: source } });
  for (let index = 0; index < 2; index += 1)
    jsonOf(
      await grpc.ask(
        RunService.method.startRun,
        { flowId: "many-approvals", wait: { seconds: 1n } },
        { timeoutMs: 10_000 },
      ),
    );
  const seen: string[] = [];
  for (let pageToken = ""; ; ) {
    const filter = 'flow_id == "many-approvals" && state == "PENDING"';
    const page = jsonOf(
      await grpc.ask(ApprovalService.method.listApprovals, { filter, pageSize: 1, pageToken }),
    ) as unknown as {
      approvals?: { runId: string; approvalId: string; taskId: string; createTime: string }[];
      nextPageToken?: string;
    };
    for (const one of page.approvals ?? [])
      seen.push(`${one.createTime} ${one.runId} ${one.approvalId.padStart(9)} ${one.taskId}`);
    if (page.nextPageToken === undefined) break;
    pageToken = page.nextPageToken;
  }
  expect(seen).toHaveLength(6);
  expect(new Set(seen).size).toBe(6);
  expect(seen).toEqual([...seen].sort());
  // Of the same moment: in the order in which they were asked.
  expect(seen.map((line) => line.at(-1)).join("")).toBe("bacbac");
});

/** `RUN_EVENT_KIND_TASK_COMPLETED` as `task.completed`. */
function toEventName(kind: string): string {
  return kind.replace("RUN_EVENT_KIND_", "").toLowerCase().replace("_", ".");
}
