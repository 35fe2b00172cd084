/** Reads the file of the gate policy: every mistake with its line and path. */
import { readFileSync } from "node:fs";
import { fail } from "../base/errors.ts";
import type { Json } from "../base/json/json.ts";
import { GATE_POLICY, type GatePolicy } from "../guards/policy/policy.ts";
import { describeIssue } from "../tasks/schema/describe-issue.ts";
import { formatPath } from "../tasks/schema/format-path.ts";
import type { ConfigProblem } from "./sources.ts";

/** Largest file, bytes. */
const MAX_BYTES = 262_144;

/** Most mistakes that are told at once. */
const MAX_PROBLEMS = 20;

/** The policy of a file, or what is wrong with it. */
export type PolicyReading =
  | { readonly policy: GatePolicy }
  | { readonly policy: null; readonly problems: readonly ConfigProblem[] };

/** Reads a policy. Never rejects. */
export async function readGatePolicy(path: string): Promise<PolicyReading> {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === "ENOENT" ? "there is no such file" : message;
    return { policy: null, problems: [{ place: path, problem: `cannot be read: ${why}` }] };
  }
  if (Buffer.byteLength(text) > MAX_BYTES)
    return { policy: null, problems: [{ place: path, problem: `has more than ${MAX_BYTES} bytes` }] };
  const { isNode, LineCounter, parseDocument } = await import("yaml");
  const { explainYaml } = await import("../flows/document/yaml-problems.ts");
  const lines = new LineCounter();
  const lineOf = (offset: number): number => lines.linePos(offset).line;
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, merge: false, prettyErrors: false });
  const mistakes = explainYaml(document.errors, text, lineOf, MAX_PROBLEMS);
  if (mistakes.length > 0)
    return {
      policy: null,
      problems: mistakes.map(({ offset, description }) => ({
        place: `${path}:${lineOf(offset)}`,
        problem: description,
      })),
    };
  let value: Json;
  try {
    value = document.toJS({ maxAliasCount: 0 }) as Json;
  } catch {
    // The only thing that is left to go wrong.
    return { policy: null, problems: [{ place: path, problem: "aliases (*name) are not supported; write it out" }] };
  }
  const read = GATE_POLICY.safeParse(value);
  if (read.success) return { policy: read.data };
  const placeOf = (parts: readonly (string | number)[]): string => {
    for (let length = parts.length; length >= 0; length--) {
      const node = document.getIn(parts.slice(0, length), true);
      if (isNode(node) && node.range) return `${path}:${lineOf(node.range[0])}`;
    }
    return path;
  };
  const problems = read.error.issues
    .flatMap((issue) => describeIssue(issue, value))
    .slice(0, MAX_PROBLEMS)
    .map(({ path: parts, describe }) => {
      const name = formatPath(parts);
      return { place: `${placeOf(parts)}${name === "" ? "" : ` ${name}`}`, problem: describe() };
    });
  return { policy: null, problems };
}

/** Reads a policy. Errors: CONFIG_INVALID with every mistake. */
export async function loadGatePolicy(path: string): Promise<GatePolicy> {
  const reading = await readGatePolicy(path);
  if (reading.policy !== null) return reading.policy;
  const { problems } = reading;
  return fail(
    "CONFIG_INVALID",
    { problem: problems.map(({ place, problem }) => `${place}: ${problem}`).join("; ") },
    { violations: problems.map(({ place, problem }) => ({ field: place, description: problem })) },
  );
}
