/** The Go command, and modules that use the Go client of this checkout. */
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findProgram, IN_CI, ROOT } from "./programs.ts";

/** The Go command. */
export const GO = findProgram(["go", "/usr/local/go/bin/go", join(ROOT, ".tools/python/bin/go")], ["version"]) ?? "go";

/** Whether there is no Go, and that is no failure. */
export const GO_MISSING = findProgram([GO], ["version"]) === undefined && !IN_CI;
if (GO_MISSING) console.log("skipped: the Go client, because Go is missing");

/** Copies the module in `from` to `folder`, where it uses the client of this checkout. */
export function copyGoModule(from: string, folder: string): void {
  cpSync(from, folder, { recursive: true });
  const text = readFileSync(join(folder, "go.mod"), "utf8");
  writeFileSync(join(folder, "go.mod"), text.replace("../../../gen/go", join(ROOT, "gen/go")));
}
