/** Services on one database that take requests over Redis, and what a foreign client says and hears there. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Pool } from "pg";
import { onTestFinished } from "vitest";
import { eventually } from "./eventually.ts";
import type { RedisServer } from "./redis-server.ts";
import { type ServeProcess, startServe } from "./serve-process.ts";
import { createTemporaryFolder } from "./temporary-folder.ts";

/** A template whose run ends at once, and one that waits for a person. */
const TEMPLATES = {
  sum: `id: sum
name: Sum
version: "1.0"
category: test
variables:
  - {name: a, type: integer, required: true}
  - {name: b, type: integer, default: 1}
workflow:
  tasks:
    - {id: add, type: transform, parameters: {output: {sum: "\${a + b}"}}}
  output: "\${add.output}"
`,
  refuse: `id: refuse
name: Refuse
version: "1.0"
category: test
variables:
  - {name: a, type: integer, default: 1}
workflow:
  tasks:
    - {id: guard, type: transform, parameters: {output: "\${1 / (a - a)}"}}
`,
  wait: `id: wait
name: Wait
version: "1.0"
category: test
workflow:
  tasks:
    - {id: gate, type: signal, parameters: {name: go}}
`,
} as const;

/** An answer as it was heard. */
export interface HeardAnswer {
  readonly execution_id: string;
  readonly correlation_id: string;
  readonly status: string;
  readonly workflow_template: string | null;
  readonly output: unknown;
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly started_at: string | null;
  readonly completed_at: string | null;
}

/** Starts an instance on a database. It ends with the test. */
export async function startInstance(
  databaseUrl: string,
  redis: RedisServer,
  env: Readonly<Record<string, string>> = {},
): Promise<ServeProcess> {
  const folder = createTemporaryFolder();
  const templates = join(folder, "templates");
  mkdirSync(templates);
  for (const [name, text] of Object.entries(TEMPLATES)) writeFileSync(join(templates, `${name}.yaml`), text);
  const service = await startServe({
    folder,
    env: {
      ...{ DATABASE_URL: databaseUrl, REDIS_URL: redis.url, ORCHESTRATOR_TEMPLATES: templates },
      ...{ ORCHESTRATOR_LOG_FORMAT: "json", ORCHESTRATOR_LEASE_TTL: "3s", ...env },
    },
  });
  onTestFinished(() => void service.child.kill("SIGKILL"));
  return service;
}

/** Hears a channel with `redis-cli`, which is not our library. */
export async function hear(redis: RedisServer, channel = "workflow-responses"): Promise<readonly HeardAnswer[]> {
  const heard: HeardAnswer[] = [];
  let rest = "";
  let isSubscribed = false;
  const child: ChildProcess = spawn("redis-cli", ["-p", String(redis.port), "--csv", "SUBSCRIBE", channel], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line.startsWith('"subscribe"')) isSubscribed = true;
      const message = /^"message","[^"]*",(".*")$/.exec(line)?.[1];
      if (message !== undefined) heard.push(JSON.parse(JSON.parse(message)));
    }
  });
  await eventually(() => {
    if (!isSubscribed) throw new Error("redis-cli has not subscribed");
  });
  return heard;
}

/** Publishes a request. */
export function request(redis: RedisServer, body: object, channel = "workflow-requests"): void {
  redis.cli("PUBLISH", channel, JSON.stringify(body));
}

/** The runs of a database: what is asked about them in these tests. */
export function openRuns(databaseUrl: string) {
  const pool = new Pool({ connectionString: databaseUrl, max: 2 });
  onTestFinished(() => pool.end());
  return {
    list: async (): Promise<readonly { run_id: string; correlation_id: string; state: string; shard: number }[]> =>
      (await pool.query("SELECT run_id, correlation_id, state, shard FROM orchestrator.runs ORDER BY created_at")).rows,
    sql: async (text: string) => (await pool.query(text)).rows,
  };
}
