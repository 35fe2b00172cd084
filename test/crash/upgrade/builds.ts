/** Two builds of the service side by side: the release before, and one after this checkout. */
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readMigrations } from "../../../src/store/sql/migrate.ts";
import { createTemporaryFolder } from "../../support/temporary-folder.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

/** What a program is made of. */
const PROGRAM = ["src", "package.json", "package-lock.json"];

/** A build. */
export interface Build {
  readonly name: string;
  readonly main: string;
}

/**
 * Unpacks the release before: the commit in `old-release.txt`, which `make release` sets. A checkout without history,
 * such as a shallow clone, takes its own sources instead and says so.
 */
export function unpackOldRelease(): Build {
  const commit = readFileSync(new URL("old-release.txt", import.meta.url), "utf8").trim();
  const folder = createTemporaryFolder();
  if (spawnSync("git", ["cat-file", "-e", `${commit}^{commit}`], { cwd: ROOT }).status !== 0) {
    console.warn(`commit ${commit} is not in this clone: the release before is this checkout`);
    for (const name of PROGRAM) cpSync(join(ROOT, name), join(folder, name), { recursive: true });
    provide(folder);
    return { name: "old", main: join(folder, "src/main.ts") };
  }
  const archive = execFileSync("git", ["archive", "--format=tar", commit, ...PROGRAM], {
    cwd: ROOT,
    maxBuffer: 1 << 28,
  });
  execFileSync("tar", ["-x", "-C", folder], { input: archive });
  provide(folder);
  return { name: "old", main: join(folder, "src/main.ts") };
}

/**
 * Makes the release after this checkout: one more migration, which older releases can work on, and one more version of
 * the journal's format, in which the records of limited runs are new.
 */
export function makeNextRelease(): Build {
  const folder = createTemporaryFolder();
  for (const name of PROGRAM) cpSync(join(ROOT, name), join(folder, name), { recursive: true });
  const number = readMigrations().length + 1;
  writeFileSync(
    join(folder, `src/store/migrations/${String(number).padStart(6, "0")}_next.sql`),
    `-- min_reader: ${readMigrations().at(-1)?.minReader}\nALTER TABLE orchestrator.runs ADD COLUMN next text;\n`,
  );
  const format = join(folder, "src/engine/shard/ownership/journal-format.ts");
  const source = readFileSync(format, "utf8");
  const version = Number(/JOURNAL_VERSION = (\d+);/.exec(source)?.[1]) + 1;
  const changed = source
    .replace(/JOURNAL_VERSION = \d+;/, `JOURNAL_VERSION = ${version};`)
    .replace(/"run\.limited": \d+/, `"run.limited": ${version}`);
  if (changed.split(String(version)).length < 3) throw new Error("the format of the journal is not where it was");
  writeFileSync(format, changed);
  provide(folder);
  return { name: "next", main: join(folder, "src/main.ts") };
}

/** The packages of this checkout. */
function provide(folder: string): void {
  mkdirSync(folder, { recursive: true });
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
}
