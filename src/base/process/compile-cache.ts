import { mkdirSync, statSync } from "node:fs";
import { enableCompileCache, getCompileCacheDir } from "node:module";
import { homedir } from "node:os";
import { join } from "node:path";

/**
 * Enables Node's compile cache, so that compiled modules are kept between starts (measured: start of the service 1.3 s
 * of CPU → 0.8 s, memory 175 → 141 MB). It is in the user's cache folder unless NODE_COMPILE_CACHE names another one
 * (the command of a checkout does; there the cache also covers the very first module). The folder contains code, so it
 * is used only if nobody else can write to it; without such a folder nothing is kept. `NODE_DISABLE_COMPILE_CACHE=1`
 * disables the cache.
 */
export function useCompileCache(): void {
  if (getCompileCacheDir() !== undefined) return;
  try {
    const folder = join(homedir(), ".cache", "orchestrator", "compiled");
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const { uid, mode } = statSync(folder);
    if (uid === process.getuid?.() && (mode & 0o022) === 0) enableCompileCache(folder);
  } catch {
    // The home folder is not writable: every start compiles from scratch.
  }
}
