/** docs/how-to/write-a-gate-policy.md, executed: its policy, its texts, its commands, and its table of rules. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import type { JsonObject } from "../../../src/base/json/json.ts";
import { ApprovalService } from "../../../src/gen/orchestrator/v1/approval_service_pb.ts";
import { RunState } from "../../../src/gen/orchestrator/v1/run_pb.ts";
import { CONTENT_RULES } from "../../../src/guards/content/rules.ts";
import { GATE_POLICY } from "../../../src/guards/policy/policy.ts";
import { runProgram } from "../../clients/programs.ts";
import { installCommand } from "../../support/run-command.ts";
import { createTemporaryFolder } from "../../support/temporary-folder.ts";
import { serveTool } from "../../support/tool-server.ts";
import { openWorkerBed } from "../../support/worker-service.ts";
import { judgeBy, openGate } from "../../unit/guards/open-gate.ts";

const text = readFileSync("docs/how-to/write-a-gate-policy.md", "utf8");
const blockOf = (language: string): string =>
  new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, "s").exec(text)?.[1] ?? expect.unreachable(`no block ${language}`);

const run = (script: string): Promise<string> => {
  const folder = createTemporaryFolder();
  writeFileSync(join(folder, "gate.yaml"), blockOf("yaml"));
  writeFileSync(join(folder, "goals.txt"), blockOf("text"));
  const command = script
    .replace("orchestrator", `"${process.execPath}" "${process.cwd()}/src/main.ts"`)
    .replace("examples/", `${process.cwd()}/examples/`);
  return runProgram("sh", ["-ec", command], { cwd: folder, env: { PATH: process.env.PATH ?? "" } });
};

test("the page's policy says of the page's goals what the page shows", async () => {
  expect(await run(blockOf("sh"))).toBe(blockOf("text output"));
});

test("the tenant of the page has rules of its own", async () => {
  const lines = (await run(`${blockOf("sh").trim()} --tenant crm --output json`)).trimEnd().split("\n");
  expect(lines.map((line) => JSON.parse(line)).map(({ verdict, rules }) => [verdict, ...rules])).toEqual([
    ["allow"],
    ["deny", "pii.card"],
    ["deny", "injection.override", "injection.exfiltration"],
    ["allow"],
    ["allow"],
  ]);
});

test("the labelled texts are judged", async () => {
  expect(await run(blockOf("sh labelled"))).toMatch(/^\d{3} denied, \d+ reported, \d{3} allowed$/m);
});

test.each([
  ["calls", "support-notes"],
  ["allow", "support-notes"],
  ["arguments", "pay-invoice"],
  ["results", "digest"],
])("the page's policy for %s is one", (name, flow) => {
  const { calls } = GATE_POLICY.parse(parse(blockOf(`yaml ${name}`)));
  expect(Object.keys(calls?.flows ?? {})).toEqual([flow]);
});

test("the page's schema of parameters leaves no way around it", async () => {
  const gate = openGate(parse(blockOf("yaml arguments")) as object);
  const judge = (more: JsonObject) =>
    judgeBy(
      gate,
      { method: "POST", url: "https://pay.example/v1", ...more },
      { flowId: "pay-invoice", taskId: "transfer" },
    );
  expect(judge({ body: { amount: 1000, note: "rent" } })).toEqual({ verdict: "allow" });
  const amount = 5000;
  const around = [
    { body: { amount: "5000" } },
    { body: [{ amount }] },
    { body: '{"amount":5000}' },
    { query: { amount } },
  ];
  for (const more of [{ body: { amount } }, {}, { text: '{"amount":5000}' }, ...around])
    expect(judge(more), JSON.stringify(more)).toMatchObject({ verdict: "deny", rule: "arguments" });
});

test("the page's policy asks a person, and the page's commands show the question and let the call out", {
  timeout: 180_000,
}, async () => {
  const tool = await serveTool(200);
  const folder = createTemporaryFolder();
  writeFileSync(join(folder, "gate.yaml"), blockOf("yaml ask"));
  const bed = await openWorkerBed({
    ...{ ORCHESTRATOR_GATE_POLICY: join(folder, "gate.yaml"), ORCHESTRATOR_HTTP_ALLOW: "127.0.0.1" },
  });
  const body = '{card: "4111 1111 1111 1111", to: "ada@example.com"}';
  const parameters = `{method: POST, url: "http://${tool.address}/pay", body: ${body}}`;
  await bed.register("charge", `  tasks:\n    - {id: pay, type: http, parameters: ${parameters}}\n`);
  const runId = await bed.start("charge");
  await bed.reaches(runId, RunState.WAITING);
  const { approvals } = await bed.client.call(ApprovalService.method.listApprovals, {});
  const [asked] = approvals;
  installCommand(folder);
  const commands = blockOf("sh approve")
    .replace("RUN", runId)
    .replace("APPROVAL", asked?.approvalId ?? "");
  const said = await runProgram("sh", ["-ec", commands], {
    cwd: folder,
    env: {
      ...{ PATH: `${folder}:${process.env.PATH}`, ORCHESTRATOR_SERVER: bed.address, ORCHESTRATOR_BY: "ann" },
      XDG_CONFIG_HOME: join(folder, "config"),
    },
  });
  expect(said).toContain(
    `The gate found pii.card in body.card: may task pay of flow charge call http://${tool.address}?`,
  );
  expect(said).toContain("risk");
  expect(said).not.toContain("4111");
  await bed.reaches(runId, RunState.COMPLETED);
  expect((await tool.next()).body).toEqual({ card: "4111 1111 1111 1111", to: "[EMAIL]" });
});

test("the page has every rule, with the words of the table", () => {
  const rows = [...text.matchAll(/^\| `((?:pii|secret|injection)\.\w+)` \| (.*) \|$/gm)].map(([, id, words]) => [
    id,
    words,
  ]);
  const rules = Object.entries(CONTENT_RULES).filter(([id]) => id !== "size.text");
  expect(rows).toEqual(rules.map(([id, { text: words }]) => [id, words]));
});
