/**
 * Completes what `npm sbom` wrote: `complete-sbom.mjs FILE TIME`. The id and time of each call go, so that equal inputs
 * give equal files; the Node that runs the packages comes. What the base brings is in the SBOM of the base.
 */
import { readFileSync, writeFileSync } from "node:fs";

const [file, timestamp] = process.argv.slice(2);
const { serialNumber: _, ...bom } = JSON.parse(readFileSync(file, "utf8"));
const { node } = process.versions;
const runtime = {
  "bom-ref": `node@${node}`,
  type: "platform",
  name: "node",
  version: node,
  purl: `pkg:generic/node@${node}`,
  licenses: [{ license: { id: "MIT" } }],
};
const complete = { ...bom, metadata: { ...bom.metadata, timestamp }, components: [...bom.components, runtime] };
writeFileSync(file, `${JSON.stringify(complete, undefined, 2)}\n`);
