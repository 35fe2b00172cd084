import { cpSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe } from "vitest";
import { createFileFolder } from "../support/temporary-folder.ts";
import { HERE, ROOT } from "./programs.ts";
import { declareScenarios } from "./workers/scenarios.ts";

describe("the TypeScript worker", () => {
  const folder = createFileFolder();
  beforeAll(() => {
    // As npm installs it; typescript.test.ts packs and installs it.
    const modules = join(folder, "node_modules");
    mkdirSync(modules);
    cpSync(join(ROOT, "gen/typescript"), join(modules, "orchestrator-flows-client"), { recursive: true });
    for (const scope of ["@bufbuild", "@connectrpc"])
      symlinkSync(join(ROOT, "node_modules", scope), join(modules, scope));
    cpSync(`${HERE}typescript/worker.ts`, join(folder, "worker.ts"));
    cpSync(`${HERE}typescript/package.json`, join(folder, "package.json"));
  });

  declareScenarios(() => ({
    command: process.execPath,
    args: ["--disable-warning=ExperimentalWarning", "worker.ts"],
    cwd: folder,
  }));
});
