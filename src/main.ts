import { useCompileCache } from "./base/compile-cache.ts";

useCompileCache();
// Imported after the cache is in use, so that everything below comes from it.
const { runCommandLine } = await import("./app/command-line.ts");
process.exitCode = await runCommandLine(process.argv.slice(2));
