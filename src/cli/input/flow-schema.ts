/** The JSON Schema of flows, for editors. */
import { existsSync } from "node:fs";
import { copyFile, readFile } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";

/** Name of the schema beside a flow. */
const FILE_NAME = "flow.schema.json";

const OWN = fileURLToPath(new URL("../../../contracts/flow.schema.json", import.meta.url));

/** Text of the schema. */
export function readFlowSchema(): Promise<string> {
  return readFile(OWN, "utf8");
}

/** Where the line for editors points to. */
export interface SchemaReference {
  /** Relative to the flow: a flow is shared, and others have other paths. */
  readonly path: string;
  /** The schema that was written beside the flow; undefined when none had to be. */
  readonly written?: string;
}

/**
 * Makes the schema reachable from a flow: the one of this checkout, or of the project whose dependency this package is,
 * by its path; a flow elsewhere gets a copy beside it. `own` is the schema that comes with this program.
 */
export async function offerFlowSchema(file: string, own = OWN): Promise<SchemaReference> {
  const folder = dirname(resolve(file));
  const installed = own.lastIndexOf(`${sep}node_modules${sep}`);
  const project = installed < 0 ? dirname(dirname(own)) : own.slice(0, installed);
  const isShared = folder === project || folder.startsWith(`${project}${sep}`);
  if (isShared) return { path: relative(folder, own) };
  const beside = join(folder, FILE_NAME);
  if (existsSync(beside)) return { path: FILE_NAME };
  await copyFile(own, beside);
  return { path: FILE_NAME, written: beside };
}
