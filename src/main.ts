import { explainOldNode } from "./base/process/node-version.ts";

const problem = explainOldNode(process.versions.node);
if (problem === null) {
  // Imported only now: an old Node cannot even read what follows, and all of it is to come from the compile cache.
  const { useCompileCache } = await import("./base/process/compile-cache.ts");
  useCompileCache();
  const { runCommandLine } = await import("./cli/command-line.ts");
  process.exitCode = await runCommandLine(process.argv.slice(2));
} else {
  process.stderr.write(`${problem}\n`);
  process.exitCode = 2;
}
