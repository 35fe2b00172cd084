/** Oldest Node that runs the service: HTTP/2 fixes. package.json, scripts/node.sh and a test say the same. */
export const NEEDED_NODE = "24.14.1";

/**
 * One sentence for whoever starts this with a Node that is too old; null when it is new enough. This file imports nothing and is written for old versions too: any
 * other module may already be refused by them with a syntax error.
 */
export function explainOldNode(version: string): string | null {
  const parts = (text: string): readonly number[] => text.split(".").map((part) => Number.parseInt(part, 10));
  const needed = parts(NEEDED_NODE);
  const differs = parts(version).findIndex((part, index) => part !== needed[index]);
  if (differs < 0 || (parts(version)[differs] ?? 0) > (needed[differs] ?? 0)) return null;
  return `error: this is Node ${version}, and orchestrator needs Node ${NEEDED_NODE} or newer`;
}
