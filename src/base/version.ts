import { readFileSync } from "node:fs";

/** Returns the version of this build, `MAJOR.MINOR.PATCH`. */
export function readVersion(): string {
  const manifest = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(manifest) as { readonly version: string }).version;
}
