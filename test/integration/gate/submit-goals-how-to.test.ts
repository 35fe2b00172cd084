/** docs/how-to/submit-goals.md, executed: its commands, and what they print. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runProgram } from "../../clients/programs.ts";
import { eventually } from "../../support/eventually.ts";
import { installCommand } from "../../support/run-command.ts";
import { openWorkerBed } from "../../support/worker-service.ts";

const page = readFileSync("docs/how-to/submit-goals.md", "utf8");
const blocksOf = (language: string): string[] =>
  [...page.matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, "gs"))].map(([, block = ""]) => block);
const blockOf = (language: string): string => blocksOf(language)[0] ?? expect.unreachable(`no block ${language}`);

test("a goal waits, is taken across kill -9, and is done; one with an address is refused and not stored", {
  timeout: 120_000,
}, async () => {
  const bed = await openWorkerBed();
  installCommand(bed.folder);
  const env = {
    ...{ PATH: `${bed.folder}:${process.env.PATH}`, ORCHESTRATOR_SERVER: bed.address, ORCHESTRATOR_BY: "ann" },
    XDG_CONFIG_HOME: join(bed.folder, "config"),
  };
  const run = (script: string): Promise<string> => runProgram("sh", ["-ec", script], { cwd: bed.folder, env });
  const [pending = "", refusal = ""] = blocksOf("text");

  const submitted = await run(`${blockOf("sh submit")}echo "id=$goal"`);
  expect(submitted).toContain(pending.trim());
  expect(submitted).toContain("criterion: each complaint has a number");
  const goal = /^id=(.*)$/m.exec(submitted)?.[1] ?? "";
  await expect(run(blockOf("sh refused"))).rejects.toThrow(refusal.trim());
  const [good = "", bad = ""] = blockOf("sh expression").trim().split("\n");
  const judged = (await run(good)).trim().split("\n")[0] ?? "";
  await expect(run(bad)).rejects.toThrow(blocksOf("text")[2]?.trim());
  await run(`orchestrator runs cancel ${judged}`);
  expect((await run("orchestrator goals list --status pending")).trim().split("\n")).toHaveLength(2);

  await bed.restart();
  await run(blockOf("sh take"));
  await eventually(async () => expect(await run("orchestrator goals list --status processing")).toContain(goal), {
    timeoutMs: 30_000,
  });
  const done = await run(`goal=${goal}\n${blockOf("sh done")}`);
  expect(done).toMatch(/ completed$/m);
  expect(await run("orchestrator goals list --status completed --output json")).toContain(goal);
});
