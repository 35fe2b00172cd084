/** Redis. Not used yet. */
import type { Parts } from "./parts.ts";

export function openRedis(parts: Parts): void {
  parts.reports("redis", () => null);
}
