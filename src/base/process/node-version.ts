/**
 * Oldest supported Node version: it has HTTP/2 fixes. package.json, scripts/node.sh, and a test name the same version.
 */
export const NEEDED_NODE = "24.14.1";

/**
 * Returns one sentence for a user whose Node is too old, or null when it is new enough. This file imports nothing and
 * is written for old versions too: they may refuse any other module with a syntax error.
 */
export function explainOldNode(version: string): string | null {
  const parts = (text: string): readonly number[] => text.split(".").map((part) => Number.parseInt(part, 10));
  const needed = parts(NEEDED_NODE);
  const differs = parts(version).findIndex((part, index) => part !== needed[index]);
  if (differs < 0 || (parts(version)[differs] ?? 0) > (needed[differs] ?? 0)) return null;
  return `error: this is Node ${version}, and orchestrator needs Node ${NEEDED_NODE} or newer`;
}
