/**
 * A registry of flows in the PostgreSQL database of somebody else: rows of a table with `flow_id`, `version`, and
 * `definition`. Nothing is written there. The latest version of a flow is the highest one, numbers compared as numbers.
 */

import { parseStoredJson } from "../base/json/json-stored.ts";
import type { Log } from "../base/log.ts";
import type { OutsideAnswer, OutsideRegistry } from "../flows/ports/outside-registry.ts";
import { parseDatabaseUrl } from "./sql/database-url.ts";
import { type Database, openDatabase } from "./sql/pool.ts";

/** How long an answer is kept, milliseconds. */
const KEPT_MS = 60_000;

/** How long the database is left alone after it failed, milliseconds: many messages may wait for it. */
const AWAY_MS = 1_000;

/** Answers in memory, at most. */
const MAX_KEPT = 1_000;

/** Versions of a flow that are looked at, at most. */
const MAX_VERSIONS = 10_000;

export interface OpenOutsideRegistry extends OutsideRegistry {
  close(): Promise<void>;
}

/** Opens the registry; it is connected to when it is asked for the first time. `table` may name its schema. */
export async function openOutsideRegistry(url: string, table: string, log: Log): Promise<OpenOutsideRegistry> {
  const database = await openDatabase({
    ...{ target: url, log, readConnections: 2, journalConnections: 1, prepareStatements: false },
    timeouts: { connectMs: 2_000, statementMs: 5_000, answerMs: 6_000 },
  });
  const kept = new Map<string, { readonly until: number; readonly answer: Promise<OutsideAnswer> }>();
  let away: { readonly until: number; readonly why: string } | null = null;

  const ask = async (flowId: string): Promise<OutsideAnswer> => {
    try {
      const definition = await readLatest(database, table, flowId);
      if (away !== null) log.info("the outside registry of flows answers again");
      away = null;
      return { definition };
    } catch (error) {
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
      const why = cause instanceof Error ? cause.message : String(cause);
      if (away === null) log.warn("the outside registry of flows cannot be read; messages wait", { reason: why });
      away = { until: performance.now() + AWAY_MS, why };
      kept.delete(flowId);
      return { away: why };
    }
  };

  return {
    find(flowId) {
      const known = kept.get(flowId);
      if (known !== undefined && performance.now() < known.until) return known.answer;
      // Not kept: it is asked again as soon as that time is over.
      if (away !== null && performance.now() < away.until) return Promise.resolve({ away: away.why });
      const answer = ask(flowId);
      kept.delete(flowId);
      kept.set(flowId, { until: performance.now() + KEPT_MS, answer });
      if (kept.size > MAX_KEPT) kept.delete(kept.keys().next().value ?? "");
      return answer;
    },
    close: () => database.close(),
  };
}

/** Whether two URLs lead to the same database, as any role. */
export function isSameDatabase(one: string, other: string): boolean {
  const [first, second] = [one, other].map((text) => {
    const { hostname, port, pathname, searchParams } = new URL(parseDatabaseUrl(text));
    return [searchParams.get("host") ?? hostname, searchParams.get("port") ?? (port || "5432"), pathname].join(" ");
  });
  return first === second;
}

async function readLatest({ reads }: Database, table: string, flowId: string) {
  const { rows } = await reads.query<{ version: string }>(
    `SELECT version::text AS version FROM ${table} WHERE flow_id::text = $1 AND version IS NOT NULL LIMIT ${MAX_VERSIONS}`,
    [flowId],
  );
  const byNumber = new Intl.Collator("en", { numeric: true });
  const latest = rows
    .map(({ version }) => version)
    .sort(byNumber.compare)
    .at(-1);
  if (latest === undefined) return null;
  const found = await reads.query<{ definition: string | null }>(
    `SELECT definition::text AS definition FROM ${table} WHERE flow_id::text = $1 AND version::text = $2 LIMIT 1`,
    [flowId, latest],
  );
  const text = found.rows[0]?.definition ?? null;
  return text === null ? null : parseStoredJson(text);
}
