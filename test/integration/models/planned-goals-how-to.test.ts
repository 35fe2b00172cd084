/** docs/how-to/submit-goals.md, where the service plans: its settings, commands, and policy, and the seed's REST. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { runProgram } from "../../clients/programs.ts";
import { eventually } from "../../support/eventually.ts";
import { openModelBed } from "../../support/model-service.ts";
import { installCommand } from "../../support/run-command.ts";

const page = readFileSync("docs/how-to/submit-goals.md", "utf8");
const blockOf = (language: string): string =>
  new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, "s").exec(page)?.[1] ?? expect.unreachable(`no block ${language}`);

/** What the model of this test writes. */
const PLAN = `id: complaints
name: Complaints
version: "1"
variables: [{name: reviews, type: array, required: true}]
workflow:
  tasks:
    - {id: find, type: ai, parameters: {prompt: "Complaints in \${vars.reviews}", max_tokens: 100}}
  output: "\${find.output.content}"
`;

/** As a client of the seed writes it. */
const ORDER = {
  goal: "Find the most frequent complaint",
  context: { reviews: ["it was late", "late again"], user_id: "user123" },
  acceptance_criteria: ["it is a complaint"],
  budget: { max_cost_usd: 0.5, max_time_seconds: 300, max_tokens: 50_000 },
};

test("a goal over curl is planned, approved by the printed command, done within the policy, and judged", {
  timeout: 240_000,
}, async () => {
  const bed = await openModelBed();
  const { goals } = parse(blockOf("yaml settings")) as { goals: Record<string, string | number | readonly string[]> };
  const policy = join(bed.folder, "gate.yaml");
  writeFileSync(policy, blockOf("yaml policy"));
  const settings = {
    ORCHESTRATOR_GOALS_PLANS: String(goals["plans"]),
    ORCHESTRATOR_GOALS_SERVICES: JSON.stringify(goals["services"]),
    ORCHESTRATOR_GOALS_MAX_CONCURRENT: String(goals["max_concurrent"]),
    ORCHESTRATOR_GOALS_MODEL: "open/small",
    ORCHESTRATOR_GATE_POLICY: policy,
  };
  await bed.restart("SIGTERM", settings);
  bed.models.script((request) => {
    const { content = "" } = request.body.messages.at(-1) ?? {};
    if (content.startsWith("<data>"))
      request.say('{"verdicts": [{"criterion": 1, "met": true, "confidence": 0.7, "reason": "seen"}]}');
    else request.say(content.startsWith("Complaints in") ? "It is late." : PLAN);
  });
  installCommand(bed.folder);
  const env = {
    ...{ PATH: `${bed.folder}:${process.env.PATH}`, ORCHESTRATOR_SERVER: bed.address, ORCHESTRATOR_BY: "ann" },
    XDG_CONFIG_HOME: join(bed.folder, "config"),
  };
  const run = (script: string): Promise<string> => runProgram("sh", ["-ec", script], { cwd: bed.folder, env });
  const curl = async (path: string, ...args: readonly string[]): Promise<string> =>
    runProgram("curl", ["-sS", `http://${bed.address}${path}`, ...args], { cwd: bed.folder, env });
  const submit = async (): Promise<string> => {
    const answer = await curl("/submit", "-H", "content-type: application/json", "-d", JSON.stringify(ORDER));
    return String((JSON.parse(answer) as { task_id?: unknown }).task_id);
  };
  const statusOf = async (goal: string): Promise<unknown> =>
    (JSON.parse(await curl(`/tasks/${goal}`)) as { status: unknown }).status;
  const asked = async (goal: string): Promise<string> =>
    eventually(
      async () => {
        const shown = await run(`goal=${goal}\n${blockOf("sh planned")}`);
        for (const line of blockOf("text plan").trim().split("\n")) expect(shown).toContain(line);
        return shown;
      },
      { timeoutMs: 60_000 },
    );

  const goal = await submit();
  const shown = await asked(goal);
  expect(shown).toContain(PLAN.trim());
  expect(shown).toMatch(/^reaches: ai$/m);
  expect(await statusOf(goal)).toBe("processing");
  const approve = /^approve: (.*)$/m.exec(shown)?.[1] ?? "";
  await expect(run(approve.replace(/[0-9a-f]{64}/, "0".repeat(64)))).rejects.toThrow(/plan_hash/);
  await run(approve);
  expect(await run(`orchestrator goals watch ${goal}`)).toMatch(/ completed$/m);
  expect(await statusOf(goal)).toBe("completed");
  const { goal: read } = JSON.parse(await curl(`/v1/goals/${goal}`)) as { goal: { plan: Record<string, unknown> } };
  expect(read.plan).toMatchObject({ text: PLAN, runId: expect.stringContaining("~") });
  expect(await curl(`/v1/goals/${goal}?read_mask=status`)).not.toContain("Complaints");

  // A plan that the policy does not let call anything fails, no matter who has approved it.
  writeFileSync(policy, blockOf("yaml policy").replace("types: [http, ai]", "types: [http]"));
  await bed.restart("SIGTERM", settings);
  const denied = await submit();
  await run(/^approve: (.*)$/m.exec(await asked(denied))?.[1] ?? "");
  await run(`orchestrator goals watch ${denied} || true`);
  expect(await run(`orchestrator goals get ${denied}`)).toMatch(/^error: .*GATE_DENIED/m);
});
