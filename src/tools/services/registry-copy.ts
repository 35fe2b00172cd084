/** The copy of the registry on disk: a service that starts while the registry is away has the last list it read. */
import { randomUUID } from "node:crypto";
import { mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { Log } from "../../base/log.ts";

/** The name of the file in the document of routed tasks. */
const FILE = "orchestrator_droplets.json";

/** A list that was read, and when. */
export interface KeptList {
  /** As the registry answered it. */
  readonly list: unknown;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** Keeps the last list. Neither call rejects: a copy that cannot be written or read is logged, and there is none. */
export interface RegistryCopy {
  read(): Promise<KeptList | null>;
  write(list: unknown, at: number): Promise<void>;
}

/** A list alone, or with the time in seconds and the registry. Without a time that of the file counts. */
const kept = z.looseObject({
  droplets: z.unknown().optional(),
  saved_at: z.number().optional(),
  registry_url: z.string().optional(),
});

/** A copy in a folder, which is created when it is first needed. That of another registry is none. */
export function createRegistryCopy(folder: string, registryUrl: string, log: Log): RegistryCopy {
  const path = join(folder, FILE);
  const source = withoutCredentials(registryUrl);
  let failing = false;
  return {
    async read() {
      let text: string;
      try {
        text = await readFile(path, "utf8");
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENOENT")
          log.warn("the copy of the registry cannot be read", { path, error });
        return null;
      }
      try {
        const value: unknown = JSON.parse(text);
        const {
          droplets,
          saved_at: seconds,
          registry_url: registry = source,
        } = kept.parse(Array.isArray(value) ? { droplets: value } : value);
        if (registry !== source) {
          log.info("the copy on disk is that of another registry, and is not used", { path, registry });
          return null;
        }
        const at = seconds === undefined ? (await stat(path)).mtimeMs : seconds * 1_000;
        return { list: { droplets }, at };
      } catch (error) {
        log.warn("the copy of the registry is damaged, and is not used", { path, error });
        return null;
      }
    },
    async write(list, at) {
      const fresh = `${path}.${randomUUID()}`;
      try {
        await mkdir(folder, { recursive: true });
        const droplets = Array.isArray(list) ? list : (list as { readonly droplets: unknown }).droplets;
        await writeFile(fresh, JSON.stringify({ droplets, saved_at: at / 1_000, registry_url: source }));
        await rename(fresh, path);
        failing = false;
      } catch (error) {
        // Said once, not with every sync.
        if (!failing) log.warn("the registry cannot be copied to disk", { path, error });
        failing = true;
        // It is not there, or the folder is not ours.
        await rm(fresh, { force: true }).catch(() => {});
      }
    },
  };
}

function withoutCredentials(text: string): string {
  const { origin, pathname } = new URL(text);
  return `${origin}${pathname}`;
}
