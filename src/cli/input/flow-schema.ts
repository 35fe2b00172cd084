/** The JSON Schema of flows, for editors. */
import { existsSync } from "node:fs";
import { copyFile, readFile } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";

/** File name of the schema next to a flow. */
const FILE_NAME = "flow.schema.json";

const OWN = fileURLToPath(new URL("../../../contracts/flow.schema.json", import.meta.url));

export function readFlowSchema(): Promise<string> {
  return readFile(OWN, "utf8");
}

/** The schema reference in a flow. */
export interface SchemaReference {
  /** Relative to the flow, because flows are shared between machines. */
  readonly path: string;
  /** Path of a schema that was written next to the flow, if one was needed. */
  readonly written?: string;
}

/**
 * Makes the schema available to a flow: by path if this checkout or a project that depends on this package contains it,
 * otherwise as a copy next to the flow. `own` is the schema of this program.
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
