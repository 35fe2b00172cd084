/** Flows that `flows init` writes: small, runnable without network, with the schema line that editors read. */
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { basename, dirname, relative, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { fail } from "../base/errors.ts";

const TASKS = (id: string): string => `id: ${id}
name: ${id}
version: "1.0"
variables:
  - {name: who, type: string, default: world, description: Whom to greet}
workflow:
  tasks:
    # Tasks without dependencies start at once, side by side.
    - id: greet
      type: transform
      parameters: {output: "Hello, \${who}!"}
    - id: pause
      type: wait
      parameters: {duration: 500ms}
    - id: report
      type: transform
      depends_on: [greet, pause]
      parameters: {output: {text: "\${greet.output}", run: "\${run.run_id}"}}
  output: "\${report.output}"
`;

const STATES = (id: string): string => `id: ${id}
name: ${id}
version: "1.0"
variables:
  - {name: rounds, type: integer, default: 3, description: How often it counts}
workflow:
  initial: count
  max_transitions: 100
  states:
    # Each state reads what the other one kept at its last visit.
    - id: count
      task:
        type: transform
        parameters: {output: "\${tasks.keep.output == null ? 1 : tasks.keep.output + 1}"}
      transitions:
        - {when: "\${tasks.count.output >= rounds}", to: done}
        - {to: keep}
    - id: keep
      task: {type: transform, parameters: {output: "\${tasks.count.output}"}}
      transitions: [{to: pause}]
    - id: pause
      after: [{delay: 200ms, to: count}]
    - {id: done, final: completed}
  output: {counted: "\${tasks.count.output}"}
`;

/** Kinds of flows to begin with. */
export const STARTERS = { tasks: TASKS, states: STATES } as const;

/** What to write. */
export interface StarterOptions {
  readonly kind: keyof typeof STARTERS;
  readonly id?: string;
  readonly force?: true;
}

/** Writes the flow. Refuses, with INVALID_REQUEST, a bad id and a file that exists. */
export async function writeStarter(file: string, options: StarterOptions): Promise<{ readonly id: string }> {
  const id =
    options.id ??
    basename(file)
      .toLowerCase()
      .replace(/\.(ya?ml)$/, "")
      .replaceAll(/[^a-z0-9_-]+/g, "-");
  if (!/^[a-z][a-z0-9_-]{0,62}$/.test(id))
    fail("INVALID_REQUEST", {
      problem: `"${id}" cannot be the id of a flow: a letter, then letters, digits, _ and -; give one with --id`,
      field: "id",
    });
  if (existsSync(file) && options.force !== true)
    fail("INVALID_REQUEST", { problem: `${file} exists; --force writes over it`, field: "file" });
  const text = `# yaml-language-server: $schema=${schemaReference(file)}\n${STARTERS[options.kind](id)}`;
  await writeFile(file, text).catch((cause: NodeJS.ErrnoException) =>
    fail("INVALID_REQUEST", { problem: `${file} cannot be written: ${cause.message}`, field: "file" }, { cause }),
  );
  return { id };
}

/** Where an editor finds the schema: relative within this installation, else as a URL of the file. */
function schemaReference(file: string): string {
  const schema = fileURLToPath(new URL("../../contracts/flow.schema.json", import.meta.url));
  const root = dirname(dirname(schema));
  const folder = dirname(resolve(file));
  const isInside = folder === root || folder.startsWith(`${root}/`);
  return isInside ? relative(folder, schema) : pathToFileURL(schema).href;
}
