/** The cache of models' answers, in PostgreSQL: instances share it, and a restart keeps it. */
import { parseJson } from "../../base/json/json-parse.ts";
import type { AnswerCache, KeptAnswer } from "../../engine/ports/models/answer-cache.ts";
import type { Database } from "../sql/pool.ts";
import { prepared } from "../sql/sql.ts";

const FIND = prepared(
  "model_answers.find",
  "SELECT a.answer FROM orchestrator.model_answers a WHERE a.tenant_id = $1 AND a.key = $2 AND a.expires_at > now()",
);

/** Each answer that is kept removes some that are too old, so that the table does not grow without end. */
const KEEP = prepared(
  "model_answers.keep",
  `WITH old AS (
    SELECT o.tenant_id, o.key FROM orchestrator.model_answers o WHERE o.expires_at < now() - interval '1 minute'
    ORDER BY o.expires_at LIMIT 100 FOR UPDATE SKIP LOCKED
  ), removed AS (
    DELETE FROM orchestrator.model_answers a USING old
    WHERE a.tenant_id = old.tenant_id AND a.key = old.key AND NOT (a.tenant_id = $1 AND a.key = $2)
  )
  INSERT INTO orchestrator.model_answers (tenant_id, key, answer, expires_at)
  VALUES ($1, $2, $3, now() + $4::float8 * interval '1 millisecond')
  ON CONFLICT (tenant_id, key) DO UPDATE SET answer = excluded.answer, expires_at = excluded.expires_at`,
);

/** Creates the cache. */
export function createAnswerCache(database: Database): AnswerCache {
  return {
    find: async (tenantId, key) => {
      const { rows } = await database.reads.query<{ answer: string }>(FIND, [tenantId, key]);
      const [row] = rows;
      return row === undefined ? null : (parseJson(row.answer, { field: "answer" }) as unknown as KeptAnswer);
    },
    keep: async (tenantId, key, { content, finishReason }, ttlMs) => {
      await database.reads.query(KEEP, [tenantId, key, JSON.stringify({ content, finishReason }), ttlMs]);
    },
  };
}
