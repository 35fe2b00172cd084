/** docs/how-to/generate-flows.md, executed: its commands, and what they print. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runProgram } from "../../clients/programs.ts";
import { openModelBed } from "../../support/model-service.ts";
import { installCommand } from "../../support/run-command.ts";

const page = readFileSync("docs/how-to/generate-flows.md", "utf8");
const blockOf = (language: string): string =>
  new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, "s").exec(page)?.[1] ?? expect.unreachable(`no block ${language}`);

/** What the model of this test writes. */
const DRAFT = `id: order-question
name: Order question
version: "1"
variables:
  - {name: amount, type: number, required: true}
  - {name: threshold, type: number, default: 1000}
workflow:
  tasks:
    - {id: ask, type: approval, parameters: {title: "Accept \${vars.amount}?"}, on_reject: continue}
    - {id: is_large, type: condition, condition: "\${ask.output.approved}", depends_on: [ask], on_success: [report]}
    - id: report
      type: http
      parameters: {url: "https://shop.example/orders", body: {amount: "\${vars.amount}"}}
`;

test("the page's request becomes a draft, its approval a template, and that a run", { timeout: 120_000 }, async () => {
  const bed = await openModelBed();
  bed.models.script((request) => request.say(DRAFT));
  installCommand(bed.folder);
  const env = {
    ...{ PATH: `${bed.folder}:${process.env.PATH}`, ORCHESTRATOR_SERVER: bed.address, ORCHESTRATOR_BY: "ann" },
    XDG_CONFIG_HOME: join(bed.folder, "config"),
  };
  const run = (script: string): Promise<string> => runProgram("sh", ["-ec", script], { cwd: bed.folder, env });
  const shown = await run(blockOf("sh ask"));
  for (const line of blockOf("text").trim().split("\n")) expect(shown).toContain(line);
  expect(shown).toContain(DRAFT.trim());
  const hash = /^hash: ([0-9a-f]{64})$/m.exec(shown)?.[1];
  const generation = /^(\S+) +draft /m.exec(shown)?.[1];
  const approved = await run(`generation=${generation} hash=${hash}\n${blockOf("sh approve")}`);
  expect(approved).toMatch(/ draft +order-question [\s\S]* approved +order-question /);
  const started = await run(blockOf("sh run").replace("localhost:8002", bed.address));
  expect(started).toContain("approval");
  expect(started).toContain('"workflow_template":"order-question"');
  expect(await run(`orchestrator generate get ${generation}`)).toContain("comment: as agreed");
  const rejected = await run(blockOf("sh ask"));
  const other = /^(\S+) +draft +(order-question-[0-9a-f]{8}) /m.exec(rejected);
  expect(await run(`orchestrator generate reject ${other?.[1]} --comment no`)).toContain("rejected");
  expect(await bed.readMetrics()).toMatch(/^orchestrator_generations_total\{status="rejected"\} 1$/m);
});
