/** A folder on a real disk that another user can enter, since Postgres does not run as root. */
import path from "node:path";
import { fileURLToPath } from "node:url";

/**
 * `bench/.cache` of the checkout; for root, whose checkout others often cannot reach, a folder under /var/tmp (not
 * /tmp, which may be memory).
 */
export async function chooseWorkFolder(): Promise<string> {
  if (process.getuid?.() === 0) return path.join("/var/tmp", `orchestrator-bench-${process.pid}`);
  return path.join(path.dirname(path.dirname(fileURLToPath(import.meta.url))), ".cache", String(process.pid));
}
