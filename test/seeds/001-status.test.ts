/** `/status` of the document of seed 001: each of its numbers moved by what it counts, and compared as a whole. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, inject, test } from "vitest";
import { openAgentTaskBed } from "../support/agent-tasks.ts";
import { eventually } from "../support/eventually.ts";
import { openForeignAgent } from "../support/foreign-agent.ts";
import { startRedisForTest } from "../support/redis-server.ts";
import { createTemporaryFolder } from "../support/temporary-folder.ts";

const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

const ofAgent = (id: string, strategy: string): string => `id: ${id}
version: "1.0"
category: recovery
workflow:
  recovery: {strategy: ${strategy}, idle_after: 1s}
  tasks:
    - {id: work, type: data, parameters: {operation: ${id}}}
`;

const TEMPLATES: Readonly<Record<string, string>> = {
  resumed: ofAgent("resumed", "resume"),
  restarted: ofAgent("restarted", "restart"),
  orphaned: ofAgent("orphaned", "fail"),
  late: `id: late
version: "1.0"
category: time
workflow:
  tasks:
    - {id: work, type: data, parameters: {operation: late}, timeout: 1, retry_policy: {max_retries: 0}}
`,
  slow: `id: slow
version: "1.0"
category: time
workflow:
  timeout: 1
  tasks:
    - {id: gate, type: signal, parameters: {name: go}}
`,
  waits: 'id: waits\nversion: "1.0"\nworkflow: {tasks: [{id: gate, type: signal, parameters: {name: go}}]}\n',
  broken: "id: broken\nworkflow: {",
};

test.skipIf(inject("redis") === 0)(
  "the status has every number that the document names, and each of them counts",
  { timeout: 120_000 },
  async () => {
    const redis = await startRedisForTest();
    const folder = join(createTemporaryFolder(), "templates");
    mkdirSync(folder);
    for (const [id, text] of Object.entries(TEMPLATES)) writeFileSync(join(folder, `${id}.yaml`), text);
    const { bed, of } = await openAgentTaskBed(redis.port, {
      ...{ ORCHESTRATOR_TEMPLATES: folder, RECOVERY_ENABLED: "true", RECOVERY_INTERVAL: "1s" },
    });
    const call = async (path: string, init?: RequestInit) =>
      (await (await fetch(`http://${bed.address}${path}`, init)).json()) as Record<string, unknown>;
    const read = () => call("/status");
    const start = async (workflow_template: string): Promise<string> => {
      const body = JSON.stringify({ workflow_template });
      const init = { method: "POST", headers: { "content-type": "application/json" }, body };
      return String((await call("/api/v1/workflows", init))["execution_id"]);
    };
    const ends = (id: string, expected: object) =>
      eventually(async () => expect(await call(`/api/v1/workflows/${id}/status`)).toMatchObject(expected), {
        timeoutMs: 30_000,
      });
    const templates = {
      count: 6,
      by_category: { "": 1, recovery: 3, time: 2 },
      refused: [
        { file: "broken.yaml", error: { code: "FLOW_SOURCE_INVALID", message: expect.any(String) }, keeps: null },
      ],
    };
    const none = { timeouts: 0, orphans: 0, restarted: 0, resumed: 0, failed: 0, last_run_at: TIME };
    const connected = { connected: true, since: TIME };
    await eventually(async () =>
      expect(await read()).toEqual({ active_workflows: 0, templates, recovery: none, redis: connected }),
    );

    // The first request for each is lost.
    const asked: string[] = [];
    await openForeignAgent(redis.port, of("data"), ({ correlation_id, parameters }, answer) => {
      const operation = String(parameters["operation"]);
      asked.push(operation);
      if (asked.filter((one) => one === operation).length > 1)
        void answer({ correlation_id, status: "completed", output: operation });
    });
    const [resumed = "", restarted = "", orphaned = "", late = "", slow = ""] = await Promise.all(
      ["resumed", "restarted", "orphaned", "late", "slow"].map(start),
    );
    await start("waits");
    await ends(resumed, { status: "completed", tasks: [{ attempts: 1 }] });
    await ends(restarted, { status: "cancelled" });
    await ends(orphaned, { status: "failed", tasks: [{ error: { code: "ORPHANED" } }] });
    await ends(late, { status: "failed", tasks: [{ error: { code: "TIMEOUT" } }] });
    await ends(slow, { status: "failed", error: { code: "RUN_TIMEOUT" } });
    const recovery = { timeouts: 2, orphans: 3, restarted: 1, resumed: 1, failed: 1, last_run_at: TIME };
    await eventually(async () =>
      expect(await read()).toEqual({ active_workflows: 1, templates, recovery, redis: connected }),
    );
    // The run that took the place of the restarted one.
    expect(asked.toSorted()).toEqual(["late", "orphaned", "restarted", "restarted", "resumed", "resumed"]);

    const before = (await read())["redis"] as { readonly since: string };
    await redis.stop("SIGKILL");
    const away = await eventually(async () => {
      const status = (await read())["redis"] as { readonly since: string };
      expect(status).toEqual({ connected: false, since: TIME });
      return status;
    });
    expect(Date.parse(away.since)).toBeGreaterThan(Date.parse(before.since));
    // It is no less healthy.
    expect(await call("/health")).toEqual({ status: "healthy" });
    await redis.start();
    await eventually(async () => expect((await read())["redis"]).toEqual({ connected: true, since: TIME }), {
      timeoutMs: 30_000,
    });
  },
);
