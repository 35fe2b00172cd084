/** `orchestrator gate`: what a policy would say, without a service. */
import type { Command } from "commander";
import { refuseField } from "../../../base/field-error.ts";
import { isJsonObject, type Json } from "../../../base/json/json.ts";
import { redact } from "../../../guards/content/redact.ts";
import { createContentScanner } from "../../../guards/content/scan.ts";
import type { GoalRules } from "../../../guards/policy/goals.ts";
import { goalRulesOf } from "../../../guards/policy/policy.ts";
import type { CommandContext } from "../../command-context.ts";
import { addOutputOption, type OutputOptions } from "../../connection/connect.ts";
import { readText } from "../../input/text-sources.ts";
import { show, toStdout, writeShown } from "../../terminal/output.ts";
import { formatTable } from "../../terminal/table.ts";
import { defineCalls } from "./calls.ts";
import { readPolicy } from "./read-policy.ts";

/** What the policy says of one text. */
interface Verdict {
  readonly line: number;
  readonly verdict: "allow" | "report" | "deny";
  readonly rules: readonly string[];
  /** With the labels of the rules in the place of what they found. */
  readonly text: string;
}

export function defineGate(command: Command, _context: CommandContext): void {
  defineCalls(command);
  addOutputOption(command.command("test"))
    .description("show what a policy says of the goals in a file, one a line, or one JSON object with its text a line")
    .argument("<policy>", "policy file")
    .argument("<file>", "file with texts, - for standard input")
    .option("--tenant <id>", "whose goals they are", "default")
    .action(async (policyFile: string, file: string, { tenant, output }: OutputOptions & { tenant: string }) => {
      const rules = goalRulesOf(await readPolicy(policyFile), tenant);
      const verdicts = judgeLines(await readText(file), rules);
      if (output === "json") {
        for (const verdict of verdicts) toStdout`${JSON.stringify(verdict)}\n`;
        return;
      }
      const rows = verdicts.map(({ line, verdict, rules: found, text }) => [
        String(line),
        verdict.toUpperCase(),
        found.join(", "),
        text,
      ]);
      writeShown(process.stdout, formatTable(["LINE", "VERDICT", "RULES", "TEXT"], rows));
      const count = (wanted: Verdict["verdict"]): number => verdicts.filter(({ verdict }) => verdict === wanted).length;
      toStdout`${show`${count("deny")} denied, ${count("report")} reported, ${count("allow")} allowed`}\n`;
    });
}

function judgeLines(source: string, rules: GoalRules): readonly Verdict[] {
  const scanner = createContentScanner();
  const withIp = rules.actionOf("pii.ip") !== "ignore";
  return source.split(/\r?\n/).flatMap((written, index) => {
    if (written.trim() === "") return [];
    const text = textOf(written, index + 1);
    const isLong = Buffer.byteLength(text) > rules.maxBytes;
    const findings = scanner.scan(text, { withIp }).filter(({ rule }) => rules.actionOf(rule) !== "ignore");
    const found = [...new Set([...(isLong ? ["size.text"] : []), ...findings.map(({ rule }) => rule)])];
    const isDenied = isLong || findings.some(({ rule }) => rules.actionOf(rule) === "deny");
    const verdict = isDenied ? "deny" : found.length > 0 ? "report" : "allow";
    return [{ line: index + 1, verdict, rules: found, text: redact(text, findings) }];
  });
}

/** A line is a text, or an object of JSON that has it. */
function textOf(written: string, line: number): string {
  if (!written.startsWith("{")) return written;
  let value: Json;
  try {
    value = JSON.parse(written) as Json;
  } catch {
    return written; // a text that begins with a brace
  }
  if (isJsonObject(value) && typeof value.text === "string") return value.text;
  return refuseField(`line ${line}`, 'expected a text, or an object with one: {"text": "…"}');
}
