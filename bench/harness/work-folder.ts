/** A folder on a real disk that another user can access, because Postgres does not run as root. */
import path from "node:path";
import { fileURLToPath } from "node:url";

/**
 * `bench/.cache` of the checkout; for root, whose checkout others often cannot access, a folder in /var/tmp (not /tmp,
 * which may be in memory).
 */
export async function chooseWorkFolder(): Promise<string> {
  if (process.getuid?.() === 0) return path.join("/var/tmp", `orchestrator-bench-${process.pid}`);
  return path.join(path.dirname(path.dirname(fileURLToPath(import.meta.url))), ".cache", String(process.pid));
}
