/**
 * One session that hears the announcements of all channels.
 *
 *   none ──somebody listens──→ opening ──→ hearing ──nobody listens any more──→ none
 *                                ↑  │         │
 *                                └──┴─ pause ←┘ broken
 *
 * Behind a pooler, which forwards no announcements, there is no session.
 */
import type { SqlSession } from "./sql.ts";

/** Pause before listening again after a failure, milliseconds. */
const LISTEN_AGAIN_MS = 5_000;

/** What {@link Listen} may be told. */
export interface ListenOptions {
  /**
   * Announcements must not be missed for longer: the listener is called with an empty payload whenever the session is
   * opened, and behind a pooler so often, milliseconds.
   */
  readonly pollMs?: number;
}

/**
 * Calls `listener` with the payload of each announcement on a channel until the returned function is called. Listening
 * only makes things faster: announcements are lost while the session is broken, and behind a pooler.
 */
export type Listen = (
  channel: string,
  listener: (payload: string) => void,
  options?: ListenOptions,
) => () => Promise<void>;

interface Ear {
  readonly channel: string;
  readonly listener: (payload: string) => void;
  readonly pollMs: number | undefined;
  timer: NodeJS.Timeout | undefined;
}

/** `openSession` opens the session when the first one listens, and again after it broke. */
export function createListen(openSession: () => Promise<SqlSession>): Listen {
  const ears = new Set<Ear>();
  let session: SqlSession | null = null;
  let opening: Promise<void> | null = null;
  let timer: NodeJS.Timeout | null = null;
  let isDeaf = false;

  const opened = ({ listener, pollMs }: Ear): void => {
    if (pollMs !== undefined) listener("");
  };
  const poll = (ear: Ear): void => {
    const { listener, pollMs } = ear;
    if (pollMs !== undefined) ear.timer = setInterval(() => listener(""), pollMs).unref();
  };
  const pause = (): void => {
    session = null;
    if (timer !== null || ears.size === 0) return;
    timer = setTimeout(() => {
      timer = null;
      open();
    }, LISTEN_AGAIN_MS).unref();
  };
  const lost = async (broken: SqlSession): Promise<void> => {
    if (session === broken) pause();
    // It is broken; nothing in it is needed.
    await broken.close().catch(() => {});
  };

  const hear = async (made: SqlSession): Promise<void> => {
    if (made.pooled) {
      isDeaf = true;
      for (const ear of ears) poll(ear);
      return made.close();
    }
    made.onNotification((channel, payload) => {
      for (const ear of ears) if (ear.channel === channel) ear.listener(payload);
    });
    made.onLost(() => void lost(made));
    const heard = new Set<string>();
    // Others may begin to listen meanwhile.
    for (let next = unheard(heard); next !== undefined; next = unheard(heard)) {
      heard.add(next.channel);
      await made.query(`LISTEN ${next.channel}`);
    }
    if (ears.size === 0) return made.close();
    session = made;
    for (const ear of ears) opened(ear);
  };
  const unheard = (heard: ReadonlySet<string>): Ear | undefined => [...ears].find(({ channel }) => !heard.has(channel));

  const connect = async (): Promise<void> => {
    let made: SqlSession | null = null;
    try {
      made = await openSession();
      await hear(made);
    } catch {
      // The store is unavailable, which others report.
      if (made !== null) await lost(made);
      pause();
    }
  };
  const open = (): void => {
    opening ??= connect().finally(() => {
      opening = null;
    });
  };

  const join = (ear: Ear): void => {
    const current = session;
    if (isDeaf) poll(ear);
    else if (current === null) {
      if (timer === null) open();
    } else listenOn(current, ear);
  };

  const listenOn = (current: SqlSession, ear: Ear): void => {
    current.query(`LISTEN ${ear.channel}`).then(
      () => opened(ear),
      () => lost(current),
    );
  };

  const leave = async (ear: Ear): Promise<void> => {
    ears.delete(ear);
    clearInterval(ear.timer);
    if (ears.size > 0) {
      const isLast = [...ears].every(({ channel }) => channel !== ear.channel);
      // A session that breaks is opened again without this channel.
      if (isLast) session?.query(`UNLISTEN ${ear.channel}`).catch(() => {});
      return;
    }
    if (timer !== null) clearTimeout(timer);
    timer = null;
    await opening;
    const last = ears.size === 0 ? session : null;
    if (last === null) return;
    session = null;
    // A broken session may fail to close; nothing in it is needed.
    await last.close().catch(() => {});
  };

  return (channel, listener, { pollMs } = {}) => {
    const ear: Ear = { channel, listener, pollMs, timer: undefined };
    ears.add(ear);
    join(ear);
    return () => leave(ear);
  };
}
