/** Pages of a table of runs with a status, newest first: of all rows of a tenant, or of those with one status. */
import type { Database } from "./pool.ts";
import { prepared } from "./sql.ts";

/** The texts of a list that is stored as JSON; a damaged row may have something else, and shows none. */
export function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((text) => typeof text === "string") : [];
}

/** Where a page begins: behind this row. */
export interface NewestPlace {
  readonly createdAt: number;
  readonly runId: string;
}

/** Reads a page. `status` null: of all. */
export type ReadNewest<Row> = (
  database: Pick<Database, "reads">,
  tenantId: string,
  status: string | null,
  after: NewestPlace | null,
  limit: number,
) => Promise<readonly Row[]>;

/** Pages of `orchestrator.<table>`, which has the alias `g`, an index of its times, and one by status. */
export function newestPages<Row extends object>(table: string, columns: string): ReadNewest<Row> {
  const list = (name: string, condition: string) =>
    prepared(
      `${table}.${name}`,
      `SELECT ${columns} FROM orchestrator.${table} g
      WHERE g.tenant_id = $1 AND ${condition}
        AND ($3::float8 IS NULL OR (g.created_at, g.run_id) < (to_timestamp($3 / 1000), $4::text))
      ORDER BY g.created_at DESC, g.run_id DESC LIMIT $5`,
    );
  const all = list("list", "$2::text IS NULL");
  const withStatus = list("list_by_status", "g.status = $2");
  return async ({ reads }, tenantId, status, after, limit) => {
    const values = [tenantId, status, after?.createdAt ?? null, after?.runId ?? "", limit];
    return (await reads.query<Row>(status === null ? all : withStatus, values)).rows;
  };
}
