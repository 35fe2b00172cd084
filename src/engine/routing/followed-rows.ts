/**
 * Rows of the store that every instance keeps in memory, as they were a moment ago.
 *
 *   opening → read ──announced──→ reading → read …
 *
 * What cannot be read stays as it is, and is read again a second later.
 */
import type { Log } from "../../base/log.ts";

/** Pause after a failed read, milliseconds. */
const AGAIN_MS = 1_000;

export interface FollowedSource {
  /** What they are, for the log: `services`. */
  readonly what: string;
  /** Reads all rows and keeps them. */
  read(): Promise<void>;
  /** Calls `listener` whenever rows may have changed. */
  listen(listener: () => void): () => Promise<void>;
}

export interface FollowedRows {
  /** Rows have changed. Resolves when a reading that began from now on has ended, whether or not it succeeded. */
  refresh(): Promise<void>;
  stop(): Promise<void>;
}

/** Follows them; resolves after the first reading. */
export async function followRows({ what, read, listen }: FollowedSource, log: Log): Promise<FollowedRows> {
  /** Rows may have changed since the last reading began. */
  let isStale = false;
  let isStopped = false;
  let reading: Promise<void> | null = null;
  let timer: NodeJS.Timeout | undefined;

  const readWhileStale = async (): Promise<void> => {
    while (isStale && !isStopped) {
      isStale = false;
      clearTimeout(timer);
      try {
        await read();
      } catch (error) {
        if (isStopped) return;
        log.warn(`${what} cannot be read; those of before stay`, { error });
        timer = setTimeout(() => void refresh(), AGAIN_MS).unref();
        return;
      }
    }
  };
  const refresh = async (): Promise<void> => {
    if (isStopped) return;
    isStale = true;
    reading ??= readWhileStale().finally(() => {
      reading = null;
    });
    await reading;
  };

  const unlisten = listen(() => void refresh());
  await refresh();
  return {
    refresh,
    async stop() {
      isStopped = true;
      clearTimeout(timer);
      await Promise.all([unlisten(), reading]);
    },
  };
}
