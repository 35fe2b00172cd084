/** Starter flows for `flows init`: small, runnable without network, with the schema line for editors. */
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { fail } from "../../base/errors.ts";
import { quoteWord } from "../command-context.ts";
import { offerFlowSchema } from "./flow-schema.ts";

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

/** Kinds of starter flows. */
export const STARTERS = { tasks: TASKS, states: STATES } as const;

export interface StarterOptions {
  readonly kind: keyof typeof STARTERS;
  readonly id?: string;
  readonly force?: true;
}

/** The written files. */
export interface WrittenStarter {
  readonly id: string;
  /** The schema for editors, if one was written next to the flow. */
  readonly schema?: string;
}

/**
 * Writes the flow. Rejects, with INVALID_REQUEST, an invalid id, an existing file, and a file name that is not YAML.
 */
export async function writeStarter(file: string, options: StarterOptions): Promise<WrittenStarter> {
  if (file.endsWith(".json"))
    fail("INVALID_REQUEST", {
      problem: `flows are written as YAML; name the file ${file.slice(0, -5)}.yaml`,
      field: "file",
    });
  const id =
    options.id ??
    basename(file)
      .toLowerCase()
      .replace(/\.(ya?ml)$/, "")
      .replaceAll(/[^a-z0-9_-]+/g, "-");
  if (!/^[a-z][a-z0-9_-]{0,62}$/.test(id))
    fail("INVALID_REQUEST", {
      problem: `"${id}" cannot be the id of a flow (a letter, then letters, digits, _ and -); set one with --id`,
      field: "id",
    });
  if (existsSync(file) && options.force !== true)
    fail("INVALID_REQUEST", { problem: `${file} exists; --force writes over it`, field: "file" });
  const folder = dirname(file);
  if (!existsSync(folder))
    fail("INVALID_REQUEST", {
      problem: `the folder ${folder} does not exist; create it first (mkdir -p ${quoteWord(folder)})`,
      field: "file",
    });
  try {
    const { path, written } = await offerFlowSchema(file);
    await writeFile(file, `# yaml-language-server: $schema=${path}\n${STARTERS[options.kind](id)}`);
    return { id, ...(written === undefined ? {} : { schema: written }) };
  } catch (cause) {
    const problem = `${file} cannot be written: ${(cause as Error).message}`;
    return fail("INVALID_REQUEST", { problem, field: "file" }, { cause });
  }
}
