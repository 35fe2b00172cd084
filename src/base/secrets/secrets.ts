/**
 * Secrets by name. A value is read when it is used, from its file or its variable, and nothing but the call that needs
 * it gets it: what is stored, logged, or printed has the name.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fail } from "../errors.ts";
import { secretNameOf, secretVariable } from "./secret-reference.ts";

/** Where the values of `secret://` references come from. */
export interface Secrets {
  /**
   * The value of a secret as it is now, without the line break at its end. Errors: SECRET_NOT_FOUND, which names the
   * secret and where it was looked for.
   */
  secretOf(name: string): Promise<string>;
  /** The value that a reference stands for; any other text as it is. Errors: SECRET_NOT_FOUND. */
  resolve(text: string): Promise<string>;
  /** The text without the values that were read since the start. */
  redact(text: string): string;
}

/** Where secrets are. */
export interface SecretsOptions {
  /** A folder with a file for each secret; absent: there is none. */
  readonly dir?: string;
  variable(name: string): string | undefined;
}

/** Largest secret, bytes: a chain of certificates fits. */
const MAX_BYTES = 65_536;

/** Shorter values are no secrets, and taking them out would spoil every text. */
const SHORTEST_REDACTED = 8;

/** Most values that are taken out: those that were read last. */
const MOST_REDACTED = 1_000;

const REDACTED = "[redacted]";

/** Secrets of a folder and of variables. Files come first. Names without either are no error until they are used. */
export function createSecrets({ dir, variable }: SecretsOptions): Secrets {
  const known = new Set<string>();

  const remember = (value: string): void => {
    // A secret may be several, separated by space; those of webhooks have a prefix.
    const parts = value.split(/\s+/).flatMap((part) => [part, part.replace(/^whsec_/, "")]);
    for (const part of [value, ...parts]) {
      if (part.length < SHORTEST_REDACTED) continue;
      // As JSON has it, since lines of the log are JSON.
      for (const form of [part, JSON.stringify(part).slice(1, -1)]) {
        known.delete(form);
        known.add(form);
      }
    }
    for (const oldest of known) {
      if (known.size <= MOST_REDACTED) break;
      known.delete(oldest);
    }
  };

  const secretOf = async (name: string): Promise<string> => {
    const value = (await readSecretFile(dir, name)) ?? variable(secretVariable(name));
    if (value === undefined || value === "") {
      const file = dir === undefined ? "in a folder that secrets.dir names" : `in the folder ${dir}`;
      fail("SECRET_NOT_FOUND", { name, cure: `put it into the file ${name} ${file}, or into ${secretVariable(name)}` });
    }
    remember(value);
    return value;
  };

  return {
    secretOf,
    async resolve(text) {
      const name = secretNameOf(text);
      return name === null ? text : secretOf(name);
    },
    redact(text) {
      let clean = text;
      for (const value of known) if (clean.includes(value)) clean = clean.replaceAll(value, REDACTED);
      return clean;
    },
  };
}

/** The text of the file; undefined: there is no such file. */
async function readSecretFile(dir: string | undefined, name: string): Promise<string | undefined> {
  if (dir === undefined || secretNameOf(`secret://${name}`) === null) return undefined;
  let bytes: Buffer;
  try {
    bytes = await readFile(join(dir, name));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    fail("SECRET_NOT_FOUND", { name, cure: `its file in ${dir} cannot be read: make it readable` }, { cause });
  }
  if (bytes.length > MAX_BYTES)
    fail("SECRET_NOT_FOUND", {
      name,
      cure: `its file in ${dir} has more than ${MAX_BYTES} bytes: write the secret alone`,
    });
  return bytes.toString("utf8").replace(/\r?\n$/, "");
}
