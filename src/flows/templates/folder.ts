/**
 * A folder of files, read again as they change. The system's notifications make a change visible at once; because they
 * are unreliable on network mounts and with editors that replace files, every use also compares the folder, at most
 * once a second.
 *
 * A changed folder must be the same twice, {@link SETTLE_MS} apart, before its files are read, so that a file that is
 * being written, or that an editor has moved away for a moment, is not taken as it is.
 */
import { type FSWatcher, watch } from "node:fs";
import { readdir, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isMissing, readRegularFile, signatureOf } from "./regular-file.ts";

/** How old a comparison may be when the files are used, milliseconds. */
const FRESH_MS = 1_000;
/** How long a changed folder must stay the same before it is read. */
const SETTLE_MS = 50;
/** How often that is tried. What still changes is left as it was, until the next use. */
const MAX_TRIES = 6;
/** How long a comparison is waited for, milliseconds: a network mount may never answer. */
const PATIENCE_MS = 5_000;

/** Called with each change that has settled. */
export interface FolderReader {
  /** A new or changed file. `error` is why it cannot be read; then the text is empty. */
  changed(file: string, text: string, error: Error | null): void;
  removed(file: string): void;
  /** The folder itself cannot be read (any more); null when it can. */
  failed(error: Error | null): void;
  /** All changes of one look have been passed on. */
  settled(): void;
}

/** The folder. */
export interface WatchedFolder {
  /**
   * Resolves when everything that was in the folder a second ago has been passed to the reader, or when the folder has
   * not answered for a while. Never rejects.
   */
  fresh(): Promise<void>;
  close(): void;
}

/** What may be set of a folder. */
export interface FolderOptions {
  /** Names of files that are read. */
  readonly pattern: RegExp;
  readonly maxBytes: number;
  /** How long a comparison is waited for, milliseconds. */
  readonly patienceMs?: number;
}

/** Signature of each file. */
type Listing = ReadonlyMap<string, string>;

/** Opens a folder and reads its regular files with names that match `pattern` and at most `maxBytes`. */
export async function openFolder(
  folder: string,
  { pattern, maxBytes, patienceMs = PATIENCE_MS }: FolderOptions,
  reader: FolderReader,
): Promise<WatchedFolder> {
  let known: Listing = new Map();
  let comparedAt = Number.NEGATIVE_INFINITY;
  let comparing: Promise<void> | null = null;
  let root = folder;
  let watcher: FSWatcher | null = null;
  let watchedAs = "";
  let soon: NodeJS.Timeout | null = null;
  let closed = false;

  const list = async (): Promise<Listing> => {
    const listing = new Map<string, string>();
    root = await realpath(folder);
    for (const file of (await readdir(folder)).filter((name) => pattern.test(name)).sort()) {
      const signature = await signatureOf(join(root, file), root);
      if (signature !== null) listing.set(file, signature);
    }
    return listing;
  };

  /** Lists the folder until it is the same twice. Files that keep changing are listed as they were known. */
  const listSettled = async (): Promise<Listing> => {
    let last = await list();
    if (isEqual(last, known)) return known;
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      await sleep(SETTLE_MS);
      const next = await list();
      if (isEqual(next, last)) return next;
      if (tries === MAX_TRIES - 1) return onlySettled(last, next, known);
      last = next;
    }
    return known;
  };

  const take = async (listing: Listing): Promise<void> => {
    const next = new Map(listing);
    for (const file of known.keys()) if (!next.has(file)) reader.removed(file);
    for (const [file, signature] of next) {
      if (known.get(file) === signature) continue;
      const path = join(root, file);
      try {
        const text = await readRegularFile(path, root, maxBytes);
        if ((await signatureOf(path, root)) === signature) {
          reader.changed(file, text, null);
          continue;
        }
      } catch (error) {
        if ((await signatureOf(path, root)) === signature) {
          reader.changed(file, "", error as Error);
          continue;
        }
      }
      // It changed while it was read: it counts as unknown until the next comparison.
      next.set(file, known.get(file) ?? "");
    }
    known = next;
    reader.settled();
  };

  const arm = async (): Promise<void> => {
    const identity = await identityOf(folder);
    if (closed || (watcher !== null && identity === watchedAs)) return;
    watcher?.close();
    watcher = null;
    if (identity === null) return;
    try {
      watcher = watch(folder, { persistent: false }, () => {
        comparedAt = Number.NEGATIVE_INFINITY;
        soon ??= setTimeout(() => {
          soon = null;
          void fresh();
        }, SETTLE_MS).unref();
      });
      watchedAs = identity;
      watcher.on("error", () => {
        watcher?.close();
        watcher = null;
      });
    } catch {
      watcher = null; // no notifications here, or no more of them: comparing on use remains
    }
  };

  const compare = async (isFirst: boolean): Promise<void> => {
    comparedAt = performance.now();
    try {
      // Before the listing, so that nothing falls between the two.
      await arm();
      const listing = isFirst ? await list() : await listSettled();
      reader.failed(null);
      if (listing !== known || isFirst) await take(listing);
    } catch (error) {
      // What was read before stays: a mount that is away must not take the templates with it.
      if (!(isMissing(error) && known.size === 0)) reader.failed(error as Error);
    }
  };

  /** A comparison that does not answer holds up those who come while there is patience, and nobody after that. */
  const start = (isFirst: boolean): Promise<void> => {
    const given = new AbortController();
    const compared = compare(isFirst).finally(() => {
      comparing = null;
      given.abort();
    });
    // It fails when the comparison has ended in time, and then nobody waits for it.
    const late = sleep(patienceMs, undefined, { ref: false, signal: given.signal }).catch(() => {});
    comparing = Promise.race([compared, late]);
    return comparing;
  };

  const fresh = (): Promise<void> => {
    if (comparing !== null) return comparing;
    return closed || performance.now() - comparedAt < FRESH_MS ? Promise.resolve() : start(false);
  };

  await start(true);
  return {
    fresh,
    close() {
      closed = true;
      watcher?.close();
      if (soon !== null) clearTimeout(soon);
    },
  };
}

/** Which folder it is; null: none. */
async function identityOf(folder: string): Promise<string | null> {
  try {
    const { dev, ino } = await stat(folder, { bigint: true });
    return `${dev}:${ino}`;
  } catch {
    return null; // the listing says why
  }
}

function isEqual(one: Listing, other: Listing): boolean {
  return one.size === other.size && [...one].every(([file, signature]) => other.get(file) === signature);
}

function onlySettled(last: Listing, next: Listing, known: Listing): Listing {
  const settled = new Map<string, string>();
  for (const file of new Set([...next.keys(), ...known.keys()])) {
    const signature = last.get(file) === next.get(file) ? next.get(file) : known.get(file);
    if (signature !== undefined) settled.set(file, signature);
  }
  return settled;
}
