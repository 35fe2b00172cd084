/** Pages of ListRuns on the real store: in each order, with filters, while runs come and go between the pages. */
import { expect, test } from "vitest";
import { RunService } from "../../../src/gen/orchestrator/v1/run_service_pb.ts";
import { createCaller } from "./api-caller.ts";
import { createBed } from "./bed.ts";

const bed = createBed();
const { listRuns } = RunService.method;

/** Created at second `age` before noon; several runs share a time. */
async function insertRuns(runs: readonly (readonly [runId: string, age: number, flowId: string])[]): Promise<void> {
  for (const [runId, age, flowId] of runs)
    await bed.sql(
      `INSERT INTO orchestrator.runs (run_id, shard, run_day, tenant_id, flow_id, version, flow_hash, state, moving, sequence, labels, user_id, correlation_id,
         run_key, parent_run_id, parent_task, created_at, updated_at, ended_at)
       SELECT $1, 0, 0, 'default', $3, '1', (SELECT hash FROM orchestrator.flow_versions WHERE flow_id = $3), 'COMPLETED', false, 1, jsonb_build_object('team', $3::text), 'u', '', '', '', '', made.at, made.at, made.at
       FROM (SELECT '2026-05-01 12:00:00Z'::timestamptz - $2::int * interval '1 second' AS at) AS made`,
      [runId, age, flowId],
    );
}

interface Page {
  readonly runs?: readonly { readonly runId: string }[];
  readonly nextPageToken?: string;
}

test.each([
  ["", ""],
  ["create_time desc", ""],
  ["create_time", ""],
  ["create_time desc", 'labels["team"] == "odd"'],
  ["create_time", 'labels["team"] == "odd" && state == "COMPLETED"'],
  ["create_time", 'flow_id != "even"'],
])(
  "order %j with filter %j: every run that was there is on one page, in order, whatever comes between the pages",
  async (orderBy, filter) => {
    const { engine } = await bed.openInstance();
    const ask = createCaller(engine, bed.database);
    // Runs of versions that are not registered cannot be stored.
    for (const flow of ["even", "odd"]) await bed.register(flow, [{ id: "a", type: "noop" }]);
    // Three runs to a second, so that pages end within a second.
    const all = Array.from({ length: 40 }, (_, n) => [`p-${String((n * 17) % 40).padStart(2, "0")}`, n] as const).map(
      ([runId, n]) => [runId, 100 + Math.floor(n / 3), n % 2 === 0 ? "even" : "odd"] as const,
    );
    await insertRuns(all);
    const seen: string[] = [];
    const pages: number[] = [];
    let pageToken = "";
    do {
      const answer = await ask(listRuns, { pageSize: 7, orderBy, filter, pageToken });
      expect(answer.code).toBe("OK");
      const page = JSON.parse(answer.json) as Page;
      seen.push(...(page.runs ?? []).map(({ runId }) => runId));
      pages.push(page.runs?.length ?? 0);
      pageToken = page.nextPageToken ?? "";
      if (pageToken !== "") {
        // Newer and older than all, and at the time of the last line, before and after it by id.
        const last = all.find(([runId]) => runId === seen.at(-1));
        const name = `new-${pages.length}`;
        await insertRuns([
          [`${name}-a`, 1, "odd"],
          [`${name}-b`, 900, "odd"],
          [`a-${name}`, last?.[1] ?? 0, "odd"],
          [`z-${name}`, last?.[1] ?? 0, "odd"],
        ]);
        for (const other of ["create_time", "create_time desc"].filter(
          (one) => one !== (orderBy || "create_time desc"),
        ))
          expect((await ask(listRuns, { pageSize: 7, orderBy: other, filter, pageToken })).code).toBe(
            "PAGE_TOKEN_INVALID",
          );
        const otherFilter = filter === "" ? 'flow_id == "odd"' : "";
        expect((await ask(listRuns, { pageSize: 7, orderBy, filter: otherFilter, pageToken })).code).toBe(
          "PAGE_TOKEN_INVALID",
        );
      }
    } while (pageToken !== "");
    expect(new Set(seen).size).toBe(seen.length);
    const oldestFirst = orderBy === "create_time";
    const expected = all
      .filter(([, , flowId]) => filter === "" || flowId === "odd")
      .toSorted(([a, ageA], [b, ageB]) => (oldestFirst ? -1 : 1) * (ageA - ageB || (a < b ? 1 : -1)))
      .map(([runId]) => runId);
    // What came meanwhile may or may not be shown; the others are, each once and in their order.
    expect(seen.filter((runId) => runId.startsWith("p-"))).toEqual(expected);
    expect(pages.slice(0, -1).every((size) => size === 7)).toBe(true);
  },
);
