/**
 * The demo: checks the texts of a folder with a flow, live in this terminal, without network, keys or a service that
 * runs already.
 *   node examples/demo/main.ts [FOLDER] [--yes | --reject] [--output FOLDER]
 */
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { openTextService } from "./text-service.ts";

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(dirname(here));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    yes: { type: "boolean", default: false },
    reject: { type: "boolean", default: false },
    output: { type: "string", default: join(root, "data/demo") },
  },
});
const folder = positionals[0] ?? join(root, "docs");
const hasTerminal = process.stdin.isTTY === true && process.stderr.isTTY === true;
const approvals = values.reject ? "reject" : values.yes || !hasTerminal ? "approve" : "ask";

const service = await openTextService({ folder, output: values.output });
const flow = relative(process.cwd(), join(here, "check-texts.yaml"));
const args = ["run", flow, "--local", "--watch", "--approvals", approvals];
args.push("--input", `service=${service.url}`, "--http-allow", service.host);
console.error(
  `A small service offers the texts of ${relative(process.cwd(), folder) || "."} at ${service.url}. The flow checks them:`,
);
console.error(`  ./orchestrator ${args.join(" ")}\n`);

// Ctrl-C is for the command; it cancels the run and undoes what was done.
process.on("SIGINT", () => {});
const child = spawn(process.execPath, [join(root, "src/main.ts"), ...args], { stdio: "inherit" });
process.exitCode = await new Promise<number>((resolve) => child.once("exit", (code) => resolve(code ?? 1)));
await service.close();
const refused = service.countRefused();
if (refused > 0) console.error(`\nThe service refused ${refused} calls with 503; the flow retried them.`);

const report = join(values.output, "report.md");
if (process.exitCode === 0 && existsSync(report)) {
  console.error(`\n${relative(process.cwd(), report)} begins:\n`);
  console.error(
    readFileSync(report, "utf8")
      .split("\n")
      .slice(0, 8)
      .map((line) => `  ${line}`)
      .join("\n"),
  );
} else if (process.exitCode === 1) console.error("\nNo report: the flow withdrew its draft.");
