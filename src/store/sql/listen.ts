import type { Database } from "./pool.ts";
import type { SqlSession } from "./sql.ts";

/** Pause before listening again after a failure, milliseconds. */
const LISTEN_AGAIN_MS = 5_000;

/** What {@link listenTo} says besides announcements. */
export interface Listening {
  /** It hears from now on; called again after a broken session. What was announced before is lost. */
  readonly opened?: () => void;
  /** It will never hear anything: poolers do not forward notifications. */
  readonly deaf?: () => void;
}

/**
 * Calls `listener` with the payload of each announcement on a channel until the returned function is called. A broken
 * session is reopened. Listening only makes things faster: announcements are lost meanwhile, and behind a pooler.
 */
export function listenTo(
  database: Pick<Database, "openSession">,
  channel: string,
  listener: (payload: string) => void,
  { opened, deaf }: Listening = {},
): () => Promise<void> {
  let session: SqlSession | null = null;
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  const again = (): void => {
    session = null;
    clearTimeout(timer);
    if (!stopped) timer = setTimeout(() => void open(), LISTEN_AGAIN_MS).unref();
  };
  const open = async (): Promise<void> => {
    try {
      const made = await database.openSession(channel.replace(/^orchestrator_/, ""));
      session = made;
      made.onNotification((_channel, payload) => listener(payload));
      made.onLost(again);
      if (made.pooled) {
        stopped = true;
        deaf?.();
      } else await made.query(`LISTEN ${channel}`);
      if (stopped) await made.close();
      else opened?.();
    } catch {
      // The store is unavailable, which others report.
      await session?.close().catch(() => {});
      again();
    }
  };
  const opening = open();
  return async () => {
    stopped = true;
    clearTimeout(timer);
    await opening;
    // A broken session may fail to close; nothing in it is needed.
    await session?.close().catch(() => {});
  };
}
