import { explainOldNode } from "./base/process/node-version.ts";

const problem = explainOldNode(process.versions.node);
if (problem === null) {
  // Imported late: an old Node cannot even parse the rest, and all of it should come from the compile cache.
  const { useCompileCache } = await import("./base/process/compile-cache.ts");
  useCompileCache();
  const { resolveOwnImports } = await import("./base/process/own-imports.ts");
  resolveOwnImports();
  const { runCommandLine } = await import("./cli/command-line.ts");
  process.exitCode = await runCommandLine(process.argv.slice(2));
} else {
  process.stderr.write(`${problem}\n`);
  process.exitCode = 2;
}
