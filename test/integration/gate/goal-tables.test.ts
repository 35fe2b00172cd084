/** The tables `tasks` and `task_results` in the hands of others, who lock them, refer to them, and alter them. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../../support/eventually.ts";
import { createTestDatabase } from "../../support/postgres.ts";
import { type ServeProcess, startServe } from "../../support/serve-process.ts";
import { createFileFolder } from "../../support/temporary-folder.ts";

const { url: databaseUrl, database } = await createTestDatabase();
const folder = createFileFolder();
let service: ServeProcess;

const restart = async (): Promise<void> => {
  service = await startServe({ folder, env: { DATABASE_URL: databaseUrl } });
};

beforeAll(async () => {
  await restart();
  const workflow = { tasks: [{ id: "t", type: "noop" }] };
  await post("/v1/flows", { source: JSON.stringify({ id: "plain", workflow }) });
}, 120_000);
afterAll(async () => {
  await service.stop("SIGKILL");
});

async function call(method: string, path: string, body?: object) {
  const response = await fetch(`http://${service.address}${path}`, {
    method,
    headers: { "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  expect(response.status, text).toBe(200);
  return JSON.parse(text);
}

const post = (path: string, body: object) => call("POST", path, body);

const submit = async (goal: string): Promise<string> => (await post("/submit", { goal })).task_id;

const cancel = (goalId: string) => post(`/v1/runs/${goalId}:cancel`, {});

const query = async (text: string, ...values: string[]) => (await database.reads.query(text, values)).rows;

const shownOf = (goalId: string) => query("SELECT goal, status::text FROM tasks WHERE id = $1::text::uuid", goalId);

const unshown = async () => {
  const text = await (await fetch(`http://127.0.0.1:${service.metricsPort}/metrics`)).text();
  return Number(/^orchestrator_unshown_goals (\d+)$/m.exec(text)?.[1]);
};

/** Time for some tries of what was put off. */
const LONG = { timeoutMs: 40_000 };

// Cause: the rows were written by the statement that commits the runs of all flows, which waited for every lock.
test.each([
  ["the table", "LOCK TABLE tasks IN SHARE MODE"],
  ["the table, also to readers,", "LOCK TABLE task_results IN ACCESS EXCLUSIVE MODE"],
  ["a row", "SELECT 1 FROM tasks WHERE goal = 'held' FOR UPDATE"],
])("who locks %s stops no start and no goal; all is shown once the lock is gone", async (_what, lock) => {
  const held = await submit("held");
  const session = await database.openSession("reader");
  await session.query("BEGIN");
  await session.query(lock);
  const begun = performance.now();
  const goals: string[] = [];
  for (let at = 0; at < 5; at += 1) goals.push(await submit(`while locked ${at}`));
  await Promise.all(Array.from({ length: 40 }, () => post("/v1/runs", { flow_id: "plain", wait: "5s" })));
  await cancel(held);
  expect(performance.now() - begun).toBeLessThan(5_000);
  await eventually(async () => expect(await unshown()).toBeGreaterThan(0));
  await session.query("COMMIT");
  await session.close();
  await eventually(async () => {
    expect(await shownOf(held)).toEqual([{ goal: "held", status: "cancelled" }]);
    for (const [at, goalId] of goals.entries())
      expect(await shownOf(goalId)).toEqual([{ goal: `while locked ${at}`, status: "pending" }]);
    expect(await unshown()).toBe(0);
  }, LONG);
});

// Cause: the row of an erased goal stayed as it was forever, and nobody heard of it.
test("an erased goal to whose row somebody refers loses its text, and its row when nobody does any more", async () => {
  await query("CREATE TABLE notes (task_id uuid REFERENCES tasks (id))");
  const goalId = await submit("to be erased");
  // The row is there when the goal is acknowledged.
  await query("INSERT INTO notes VALUES ($1::text::uuid)", goalId);
  await cancel(goalId);
  await eventually(async () => expect(await shownOf(goalId)).toMatchObject([{ status: "cancelled" }]));
  await call("DELETE", `/v1/runs/${goalId}`);
  await eventually(async () => expect(await shownOf(goalId)).toEqual([{ goal: "", status: "cancelled" }]));
  await eventually(async () => expect(await unshown()).toBe(1));
  await eventually(() => expect(service.output()).toMatch(/violates foreign key.*cannot show a goal/));
  expect(service.output()).not.toContain("to be erased");
  await query("DROP TABLE notes");
  await eventually(async () => expect(await shownOf(goalId)).toEqual([]), LONG);
  await eventually(() => expect(service.output()).toContain("show all goals again"), LONG);
});

// Cause: the goal was missing forever; a trigger that raised an error when the batch committed failed all runs in it.
test.each([
  [
    "a constraint",
    "ALTER TABLE tasks ADD CONSTRAINT no_odd CHECK (goal <> 'odd') NOT VALID",
    "ALTER TABLE tasks DROP CONSTRAINT no_odd",
  ],
  [
    "a trigger, at the commit,",
    `CREATE FUNCTION refuse_odd() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN IF NEW.goal = 'odd' THEN RAISE EXCEPTION 'no odd goals'; END IF; RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER no_odd AFTER INSERT ON tasks DEFERRABLE INITIALLY DEFERRED
      FOR EACH ROW EXECUTE FUNCTION refuse_odd()`,
    "DROP TRIGGER no_odd ON tasks; DROP FUNCTION refuse_odd()",
  ],
])(
  "a goal that %s refuses goes on, the others are shown, and it is too once nothing refuses it",
  async (_what, make, undo) => {
    await query(make);
    const [odd = "", ...others] = await Promise.all(["odd", "even", "prime"].map(submit));
    await eventually(async () => {
      for (const goalId of others) expect(await shownOf(goalId)).toHaveLength(1);
      expect(await unshown()).toBe(1);
    });
    expect(await shownOf(odd)).toEqual([]);
    expect((await call("GET", `/tasks/${odd}`)).status).toBe("pending");
    await query(undo);
    await eventually(async () => expect(await shownOf(odd)).toHaveLength(1), LONG);
  },
);

test("a start mends rows that are not what goals say, and makes dropped tables again", async () => {
  const before = await query("SELECT * FROM tasks ORDER BY id");
  const session = await database.openSession("tamperer");
  await session.query("SET session_replication_role = replica");
  await session.query("UPDATE tasks SET goal = 'tampered', status = 'failed' WHERE goal = 'even'");
  await session.query("DELETE FROM tasks WHERE goal = 'prime'");
  await session.query("INSERT INTO tasks (id, goal) VALUES (gen_random_uuid(), 'nobody said this')");
  await session.query(
    "INSERT INTO task_results (id, task_id, result_data) SELECT gen_random_uuid(), id, '1' FROM tasks",
  );
  await session.close();
  await service.stop("SIGTERM");
  await restart();
  await eventually(async () => {
    expect(await query("SELECT * FROM tasks ORDER BY id")).toEqual(before);
    expect(await query("SELECT * FROM task_results")).toEqual([]);
  }, LONG);
  await eventually(() => expect(service.output()).toContain("are corrected"));

  await query("DROP TABLE tasks CASCADE");
  expect((await call("GET", `/tasks/${await submit("without tables")}`)).status).toBe("pending");
  await service.stop("SIGTERM");
  await restart();
  await eventually(async () => expect(await query("SELECT * FROM tasks")).toHaveLength(before.length + 1), LONG);
});
