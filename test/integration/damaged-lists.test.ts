/**
 * Rows that somebody else wrote, or a disk lost, in the tables that lists show: a damaged one is shown as far as it
 * goes, and the rest of the page is answered.
 */
import { afterAll, describe, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { createTestDatabase } from "../support/postgres.ts";
import { startServe } from "../support/serve-process.ts";
import { createFileFolder } from "../support/temporary-folder.ts";

interface Table {
  readonly list: string;
  /** Columns and values of a row; $1 is its name. */
  readonly insert: string;
  /** The column with the name. */
  readonly key: string;
  /** Where changes are announced, if instances keep the rows in memory. */
  readonly tell?: string;
}

/** Tables, with the list that shows them. */
const TABLES: Readonly<Record<string, Table>> = {
  goals: {
    list: "/v1/goals",
    insert: `(run_id, tenant_id, goal, status, priority, constraints, acceptance_criteria, context, max_cost_micros,
      max_time_seconds, max_tokens, created_at, updated_at)
      VALUES ($1, 'default', 'count', 'pending', 'medium', '["a"]', '["b"]', '{}', 1, 2, 3, now(), now())`,
    key: "run_id",
  },
  generations: {
    list: "/v1/generations",
    insert: `(run_id, tenant_id, prompt, domain, complexity, required_services, status, template_id, created_at, updated_at)
      VALUES ($1, 'default', 'write', '', 'simple', '["a"]', 'pending', '', now(), now())`,
    key: "run_id",
  },
  routed_tasks: {
    list: "/v1/routedTasks",
    insert: `(run_id, tenant_id, service, method, path, target_url, state, response_status, retry_count, created_at, ended_at)
      VALUES ($1, 'default', 's', 'GET', '/', 'http://a/', 'SUCCESS', 200, 0, now(), now())`,
    key: "run_id",
  },
  triggers: {
    list: "/v1/triggers",
    insert: `(tenant_id, trigger_id, flow_id, definition) VALUES ('default', $1, 'f', '{"id": "x", "flow_id": "f"}')`,
    key: "trigger_id",
  },
  limits: {
    list: "/v1/limits",
    insert: `(tenant_id, name, max_concurrent, rate_count, rate_per_ms) VALUES ('default', $1, 1, 2, 1000)`,
    key: "name",
  },
  queues: {
    list: "/v1/queues",
    insert: `(tenant_id, queue, paused_at, draining_at, max_length, ttl_ms) VALUES ('default', $1, now(), now(), 1, 1000)`,
    key: "queue",
  },
  tool_overrides: {
    list: "/v1/toolOverrides",
    insert: `(tenant_id, service, origin, flow_id, task, breaker, max_concurrent, max_queued, until, since, actor, reason)
      VALUES ('default', $1, '', '', '', 'open', NULL, NULL, now() + interval '1 day', now(), 'me', 'why')`,
    key: "service",
    tell: "orchestrator_tool_overrides",
  },
  services: {
    list: "/v1/services",
    insert: `(tenant_id, name, entry, actor, reason) VALUES ('default', $1, '{"url": "https://a.example/"}', 'me', 'why')`,
    key: "name",
    tell: "orchestrator_services",
  },
  budgets: {
    list: "/v1/budgets",
    insert: `(tenant_id, scope, id, max_cost_micros, max_tokens) VALUES ('default', 'flow', $1, 1, 2)`,
    key: "id",
  },
  templates: {
    list: "/v1/templates",
    insert: `(tenant_id, template_id, source, hash, generation_id, approved_by)
      VALUES ('default', $1, 'id: ' || $1 || '
workflow: {tasks: [{id: t, type: noop}]}', 'aa', 'g', 'me')`,
    key: "template_id",
  },
  outbox_rejected: {
    list: "/v1/undeliveredMessages",
    insert: `(shard, id, run_id, task_path, tenant_id, kind, topic, key, payload, sequence, created_at, reason, settled)
      VALUES (1, floor(random() * 1000000)::int, $1, 't', 'default', 'event', 'topic', '', '{}', 1, now(), 'no', true)`,
    key: "run_id",
  },
  rejected_messages: {
    list: "/v1/rejectedMessages",
    insert: `(cluster_id, topic_id, topic, partition, message_offset, key, value, headers, sent_at, reason, message)
      VALUES ('c', 'i', $1, 0, floor(random() * 1000000)::int, '', '', '{}', now(), 'MESSAGE_INVALID', 'no')`,
    key: "topic",
  },
};

/** Beyond the last year that a Date has, and within those of the database. */
const LATE = "'294276-12-31 23:59:59.999999+00'";

/** What a column of a type may hold that nobody here writes. */
const DAMAGES: Readonly<Record<string, readonly string[]>> = {
  "timestamp with time zone": ["'infinity'", "'-infinity'", "'0044-03-15 BC'", "'10001-01-01'", LATE, "NULL"],
  jsonb: ["'null'", "'5'", "'\"x\"'", "'[]'", "'[1]'", "'{}'", `'{"url": 5}'`, "'[null]'", "NULL"],
  text: ["''", "'x'", "E'\\x01'", "NULL"],
  integer: ["-1", "2147483647", "NULL"],
  smallint: ["-1", "32767", "NULL"],
  bigint: ["-1", "9223372036854775807", "NULL"],
};

const { database, url } = await createTestDatabase();
const service = await startServe({ folder: createFileFolder(), env: { DATABASE_URL: url } });
afterAll(() => service.stop("SIGKILL"));

async function sql<Row extends object>(statement: string, values: readonly string[] = []): Promise<readonly Row[]> {
  return (await database.reads.query<Row>(statement, values)).rows;
}

/** The names that a list shows, page after page of one. */
async function read(list: string): Promise<readonly unknown[]> {
  const pages: unknown[] = [];
  for (let token = ""; pages.length < 10; ) {
    const response = await fetch(`http://${service.address}${list}?pageSize=1&pageToken=${encodeURIComponent(token)}`);
    const page = (await response.json()) as { readonly nextPageToken?: string };
    pages.push(response.status === 200 ? JSON.stringify(page) : { status: response.status, page });
    token = page.nextPageToken ?? "";
    if (token === "") break;
  }
  return pages;
}

const shows = (pages: readonly unknown[], name: string): boolean => String(pages).includes(name);

describe.each(Object.entries(TABLES))("%s", (table, { list, insert, key, tell }) => {
  const add = async (name: string) => void (await sql(`INSERT INTO orchestrator.${table} ${insert}`, [name]));
  const drop = async (name: string) => void (await sql(`DELETE FROM orchestrator.${table} WHERE ${key} = $1`, [name]));
  const announce = async () => void (tell !== undefined && (await sql(`SELECT pg_notify('${tell}', '')`)));

  test("a damaged row leaves the list whole", { timeout: 120_000 }, async () => {
    for (const name of ["good", "bad"]) await add(name);
    await announce();
    await eventually(async () => {
      const pages = await read(list);
      expect([pages, shows(pages, "good"), shows(pages, "bad")]).toEqual([pages, true, true]);
    });
    const columns = await sql<{ readonly name: string; readonly type: string }>(
      `SELECT column_name AS name, data_type AS type FROM information_schema.columns
      WHERE table_schema = 'orchestrator' AND table_name = '${table}' AND column_name NOT IN ('${key}', 'tenant_id')`,
    );
    let count = 0;
    for (const column of columns)
      for (const value of DAMAGES[column.type] ?? []) {
        const change = `UPDATE orchestrator.${table} SET ${column.name} = ${value} WHERE ${key} = 'bad'`;
        // What the table itself refuses cannot be there.
        if (
          !(await sql(change).then(
            () => true,
            () => false,
          ))
        )
          continue;
        count += 1;
        // What comes later is seen, too.
        await add(`later${count}`);
        await announce();
        await eventually(async () => {
          const pages = await read(list);
          const seen = [shows(pages, "good"), shows(pages, `later${count}`)];
          expect(seen, `${change}\n${pages.map((page) => JSON.stringify(page)).join("\n")}`).toEqual([true, true]);
          expect(pages.every((page) => typeof page === "string")).toBe(true);
          expect(pages.length).toBeLessThan(10);
        });
        for (const name of ["bad", `later${count}`]) await drop(name);
        await add("bad");
      }
    expect(count).toBeGreaterThan(3);
  });
});
