import { mkdirSync, statSync } from "node:fs";
import { enableCompileCache, getCompileCacheDir } from "node:module";
import { homedir } from "node:os";
import { join } from "node:path";

/**
 * Lets Node keep compiled modules between starts (measured: start of the service 1.3 s of CPU → 0.8 s, memory 175 → 141 MB), in the user's cache folder unless
 * NODE_COMPILE_CACHE names another (the command of a checkout does: there the very first module is compiled too). Only in a folder that nobody else can write,
 * for what is kept there is code; where there is none, nothing is kept. `NODE_DISABLE_COMPILE_CACHE=1` switches it off.
 */
export function useCompileCache(): void {
  if (getCompileCacheDir() !== undefined) return;
  try {
    const folder = join(homedir(), ".cache", "orchestrator", "compiled");
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const { uid, mode } = statSync(folder);
    if (uid === process.getuid?.() && (mode & 0o022) === 0) enableCompileCache(folder);
  } catch {
    // A home that cannot be written: every start compiles anew.
  }
}
