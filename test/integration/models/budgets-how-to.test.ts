/** docs/how-to/budgets.md, executed: its flow and its commands. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { FlowService } from "../../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { RunState } from "../../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../../src/gen/orchestrator/v1/run_service_pb.ts";
import { eventually } from "../../support/eventually.ts";
import { openModelBed } from "../../support/model-service.ts";
import { runCommand } from "../../support/run-command.ts";
import { createTemporaryFolder } from "../../support/temporary-folder.ts";

const text = readFileSync("docs/how-to/budgets.md", "utf8");
const blocksOf = (language: string): string[] =>
  [...text.matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, "gs"))].map(([, block = ""]) => block);

test("the run of the page is suspended, and goes on once its budget is raised", { timeout: 120_000 }, async () => {
  const bed = await openModelBed();
  bed.models.script((request, index) => request.say(`answer ${index}`, { usage: { input: 10, output: 200 } }));
  const [value = ""] = blocksOf("yaml");
  const definition = { case: "source" as const, value };
  expect((await bed.client.call(FlowService.method.registerFlow, { definition })).problems).toEqual([]);
  const runId = await bed.start("research", { question: "why?" });
  await bed.reaches(runId, RunState.SUSPENDED);
  const folder = createTemporaryFolder();
  const run = async (line: string, ofRun = runId): Promise<string> => {
    const words = line.replace("$RUN", ofRun).match(/"[^"]*"|\S+/g) ?? [];
    const args = words.slice(1).map((word) => word.replaceAll('"', ""));
    const { code, out, err } = await runCommand([...args, "--server", bed.address, "--by", "ann"], folder, {});
    expect(code, err).toBe(0);
    return out;
  };
  const commands = blocksOf("sh").flatMap((block) => block.trim().split("\n"));
  expect(commands).toHaveLength(5);
  const printed: string[] = [];
  for (const line of commands.slice(0, 1)) printed.push(await run(line));
  await bed.reaches(runId, RunState.COMPLETED);
  for (const line of commands.slice(1)) printed.push(await run(line));
  expect(await bed.outputOf(runId)).toBe("answer 1");
  const [raised = "", , , listed = "", used = ""] = printed;
  expect(raised).toMatch(/run\.\S+ +\$0\.01 +\$0\.00041 /);
  expect(raised).toMatch(/set by ann at .*: worth it/);
  for (const id of ["flow.research", `run.${runId}`, "tenant"]) expect(listed).toContain(id);
  expect(used).toMatch(/research open\/small +2 +20 +400 +\$0\.00082/);
  const csv = await run("orchestrator budgets usage --csv --group-by flow,user");
  expect(csv.split("\r\n")[1]).toBe("research,,,,,2,20,400,0.00082,0,0");
  // The part that a task gives its child run.
  const [, part = ""] = blocksOf("yaml");
  const head = "variables: [{name: question, type: string}, {name: tokens, type: integer}]\n";
  await bed.register("team", `  tasks:\n${part.replaceAll(/^/gm, "    ").trimEnd()}\n`, head);
  const team = await bed.start("team", { question: "why?", tokens: 100 });
  await eventually(async () => {
    const { runs } = await bed.client.call(RunService.method.listRuns, { filter: `parent_run_id == "${team}"` });
    expect(runs).toMatchObject([{ flowId: "research", state: RunState.SUSPENDED }]);
    expect(await run(`orchestrator budgets get run.${runs[0]?.runId}`)).toMatch(/ \$0\.0021 .* 80 +0 .* of 5m /);
  });
  const two = "[{id: a, type: noop}, {id: b, type: noop, depends_on: [a]}]";
  await bed.register("steps", `  budget: {max_steps: 1, max_time: 10m}\n  tasks: ${two}`);
  const counted = await bed.start("steps");
  await bed.reaches(counted, RunState.SUSPENDED);
  expect(await run(blocksOf("sh steps")[0]?.trim() ?? "", counted)).toMatch(/ 1 of 300 +\d+ms of 20m /);
  await bed.reaches(counted, RunState.COMPLETED);
});
