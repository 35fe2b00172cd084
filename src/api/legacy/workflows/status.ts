/** `GET /health` and `GET /status`. */
import type { ConnectionState } from "../../../base/net/connection-state.ts";
import type { TemplateCatalogue } from "../../../flows/ports/templates.ts";
import { type Answer, answer, type Exchange } from "../exchange.ts";
import { countOpen } from "./executions.ts";
import { OPEN_PHASES } from "./words.ts";

/** What was done for idle runs since the start. */
interface RecoveryCounts {
  readonly timeouts: number;
  readonly orphans: number;
  readonly restarted: number;
  readonly resumed: number;
  readonly failed: number;
  /** Milliseconds; null: nobody has looked yet. */
  readonly lastRunAt: number | null;
}

/** What the status shows beside what the contract has. */
export interface StatusSources {
  readonly templates: Pick<TemplateCatalogue, "counts">;
  /** What this instance has done for idle runs. */
  readonly recovery: { readonly counts: RecoveryCounts };
  /** Whether what is outside answers, by name. */
  readonly connections: ReadonlyMap<string, () => ConnectionState | null>;
}

/** The process answers. Whether it can work is at `/readyz`. */
export async function getHealth(): Promise<Answer> {
  return answer(200, { status: "healthy" });
}

/** What the service is doing. Templates and connections are those of this instance, executions those of all. */
export async function getServiceStatus({ client }: Exchange, sources: StatusSources): Promise<Answer> {
  const { count, byCategory, refused } = sources.templates.counts();
  const { lastRunAt, ...recovery } = sources.recovery.counts;
  const redis = sources.connections.get("redis")?.() ?? null;
  return answer(200, {
    active_workflows: await countOpen(client, OPEN_PHASES),
    templates: {
      count,
      by_category: Object.fromEntries(byCategory),
      refused: refused.map(({ file, error, keeps }) => ({
        file,
        error: { code: error.code, message: error.message },
        keeps,
      })),
    },
    recovery: { ...recovery, last_run_at: lastRunAt === null ? null : new Date(lastRunAt).toISOString() },
    redis:
      redis === null
        ? { connected: false, since: null }
        : { connected: redis.connected, since: new Date(redis.since).toISOString() },
  });
}
