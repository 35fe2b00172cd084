/** The setting of the keys that seal task tokens. */
import { z } from "zod";
import { listSetting } from "./setting-types.ts";

/** A key and the number by which tokens name it. */
export interface ConfiguredKey {
  /** 2 to 255: 1 is the key of the database. */
  readonly id: number;
  /** At least {@link MIN_BYTES} bytes. */
  readonly secret: Uint8Array;
}

/** Shortest key, bytes. */
const MIN_BYTES = 32;

/** Keys written `id:base64`. An error names the place of the key in the list, never the key. */
export function tokenKeysSetting() {
  return listSetting()
    .transform((texts, context): readonly ConfiguredKey[] => {
      const keys = texts.map(parseKey);
      const ids = keys.map((key) => (typeof key === "string" ? 0 : key.id));
      for (const [index, key] of keys.entries()) {
        const problem = typeof key === "string" ? key : ids.indexOf(key.id) < index ? "its id is taken" : null;
        if (problem === null) continue;
        context.addIssue({ code: "custom", message: `key ${index + 1} cannot be used: ${problem}` });
        return z.NEVER;
      }
      return keys as readonly ConfiguredKey[];
    })
    .meta({ kind: "list" });
}

/** The key, or what is wrong with its text. */
function parseKey(text: string): ConfiguredKey | string {
  const [, id = "", encoded = ""] = /^\s*(\d{1,3}):([A-Za-z0-9+/_-]*={0,2})\s*$/.exec(text) ?? [];
  if (id === "") return "write id:base64, such as 2:$(openssl rand -base64 32)";
  if (Number(id) < 2 || Number(id) > 255) return "its id is not 2 to 255 (1 is the key of the database)";
  const secret = Buffer.from(encoded, "base64");
  if (secret.length < MIN_BYTES) return `it has ${secret.length} bytes, and needs ${MIN_BYTES}`;
  return { id: Number(id), secret };
}
