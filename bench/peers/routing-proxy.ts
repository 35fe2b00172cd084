/**
 * The limit of routed tasks: a proxy on `undici` that keeps the same durable record, and does nothing else. Each call
 * is one row of `runs` and two of `journal` (`rows.sql`) in two commits, one before the request and one after the
 * answer. Transitions collect in a batch while the previous one is in flight.
 *
 * Arguments: URL of the database, URL of the target. Sends its port to the process that forked it.
 */
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import pg from "pg";
import { Agent, request } from "undici";

interface Move {
  readonly id: string;
  readonly sequence: number;
  readonly records: string;
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

const WRITE = `WITH row AS (SELECT * FROM json_to_recordset($1) AS row (id text, sequence int4, records text)),
  starting AS (
    INSERT INTO runs (run_id, shard, run_day, tenant_id, flow_id, version, flow_hash, state, moving, sequence, user_id,
      correlation_id, run_key, parent_run_id, parent_task, created_at, updated_at)
    SELECT id, 1, 1, 'default', 'route', '1', 'hash', 'RUNNING', true, 2, '', '', '', '', '', now(), now()
    FROM row WHERE sequence = 2),
  ending AS (
    UPDATE runs SET state = 'COMPLETED', moving = false, sequence = 4, updated_at = now(), ended_at = now()
    WHERE run_id = ANY (SELECT id FROM row WHERE sequence = 4))
  INSERT INTO journal (run_day, run_id, sequence, record_count, written_at, records)
  SELECT 1, id, sequence, 2, now(), records FROM row`;

const [, , databaseUrl = "", target = ""] = process.argv;
const client = new pg.Client({ connectionString: databaseUrl });
await client.connect();
await client.query("CREATE SCHEMA IF NOT EXISTS bare; SET search_path = bare");
await client.query(await readFile(new URL("../rows.sql", import.meta.url), "utf8"));
let isIdle = true;
const waiting: Move[] = [];

async function flush(): Promise<void> {
  while (waiting.length > 0) {
    const batch = waiting.splice(0);
    const rows = batch.map(({ id, sequence, records }) => ({ id, sequence, records }));
    try {
      await client.query({ name: "write", text: WRITE, values: [JSON.stringify(rows)] });
      for (const { done } of batch) done();
    } catch (error) {
      for (const { failed } of batch) failed(error);
    }
  }
  isIdle = true;
}

const commit = (id: string, sequence: number, records: unknown): Promise<void> =>
  new Promise((done, failed) => {
    waiting.push({ id, sequence, records: JSON.stringify(records), done, failed });
    if (!isIdle) return;
    isIdle = false;
    setImmediate(() => void flush());
  });

async function readJson(stream: IncomingMessage): Promise<{ method: "GET"; path: string }> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString());
}

const dispatcher = new Agent({ connections: 256 });
const server = createServer((incoming, outgoing) => {
  const serve = async (): Promise<void> => {
    const order = await readJson(incoming);
    const id = randomUUID();
    await commit(id, 2, [{ type: "run.started", order }, { type: "task.dispatched" }]);
    const answer = await request(`${target}${order.path}`, { method: order.method, dispatcher });
    const body = await answer.body.json();
    await commit(id, 4, [{ type: "task.completed", status: answer.statusCode, body }, { type: "run.completed" }]);
    outgoing.setHeader("content-type", "application/json");
    outgoing.end(JSON.stringify({ task_id: id, response_status: answer.statusCode, response_body: body }));
  };
  serve().catch((error: unknown) => outgoing.writeHead(500).end(String(error)));
});
server.keepAliveTimeout = 600_000;
server.listen(0, "127.0.0.1", () => process.send?.((server.address() as AddressInfo).port));
process.on("disconnect", () => process.exit(0));
