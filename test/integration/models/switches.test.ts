/** Kill switches: from the next call on, no call of the tenant, a flow, a service, or a model begins. */
import { expect, test } from "vitest";
import { RunState } from "../../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../../src/gen/orchestrator/v1/run_service_pb.ts";
import { eventually } from "../../support/eventually.ts";
import { type ModelBed, openModelBed } from "../../support/model-service.ts";
import { runCommand } from "../../support/run-command.ts";
import { createTemporaryFolder } from "../../support/temporary-folder.ts";

const ASK =
  "{id: q, type: ai, parameters: {prompt: hi, fallback: [{provider: claude, model: haiku, on: [MODEL_OVERLOADED]}]}}";

function commandsOf(bed: ModelBed) {
  const folder = createTemporaryFolder();
  return async (...args: string[]): Promise<string> => {
    const { code, out, err } = await runCommand(
      ["switch", ...args, "--server", bed.address, "--by", "ann"],
      folder,
      {},
    );
    expect(code, err).toBe(0);
    return out;
  };
}

async function whyItWaits({ client }: ModelBed, runId: string): Promise<string> {
  const { findings } = await client.call(RunService.method.diagnoseRun, { runId });
  return findings.map(({ message }) => message).join("; ");
}

test("a switch stops calls until it is on again, names who turned it off and why, and outlasts a restart", async () => {
  const bed = await openModelBed();
  const turn = commandsOf(bed);
  await bed.register("ask", `  tasks: [${ASK}]`);
  await bed.register("other", `  tasks: [${ASK}]`);
  bed.models.script((request) => request.say("hi"));
  for (const [kind, name, what] of [
    ["model", "open/small", "calls of model open/small"],
    ["flow", "ask", "as all calls of the flow"],
    ["tenant", "", "as all calls of the tenant"],
  ] as const) {
    const before = bed.models.count();
    const named = name === "" ? [kind] : [kind, name];
    expect(await turn("off", ...named, "--reason", "it leaks")).toMatch(/is off: .*calls under way go on/);
    expect(await turn("list")).toMatch(new RegExp(`${kind} +${name} .* ann +it leaks`));
    const runId = await bed.start("ask");
    await eventually(async () => expect(await whyItWaits(bed, runId)).toContain(what));
    expect(await whyItWaits(bed, runId)).toMatch(
      /BREAKER_FORCED_OPEN: ann has stopped .* until it is lifted: it leaks/,
    );
    if (kind === "flow") await bed.reaches(await bed.start("other"), RunState.COMPLETED);
    if (kind === "tenant") await bed.restart("SIGKILL");
    expect(bed.models.count()).toBe(kind === "flow" ? before + 1 : before);
    expect(await turn("on", ...named)).toContain("is on again");
    await bed.reaches(runId, RunState.COMPLETED);
  }
  expect(await turn("on", "tenant")).toContain("was not off");
});

// Cause: a switch without a name ended as a bug, with exit code 70.
test("a model that is off is not called as a fallback, and a switch needs a reason and a name", async () => {
  const bed = await openModelBed();
  const turn = commandsOf(bed);
  await bed.register("ask", `  tasks: [${ASK}]`);
  bed.models.script((request) =>
    request.protocol === "openai" ? request.refuse(503, { error: { message: "busy" } }) : request.say("hi"),
  );
  await turn("off", "model", "claude/haiku", "--reason", "too dear");
  const runId = await bed.start("ask");
  await eventually(async () => expect(await whyItWaits(bed, runId)).toContain("calls of model claude/haiku"));
  await turn("on", "model", "claude/haiku");
  await bed.reaches(runId, RunState.COMPLETED);
  const folder = createTemporaryFolder();
  for (const args of [
    ["off", "tenant"],
    ["off", "flow", "--reason", "x"],
    ["on", "tenant", "x"],
  ])
    expect((await runCommand(["switch", ...args, "--server", bed.address], folder, {})).code).toBe(2);
});

// Cause: the provider took `SMALL` and `./small` for the model that was off, and the switch did not.
test("a model that is off is not called by another spelling, and blank or invisible names are refused", async () => {
  const bed = await openModelBed();
  const turn = commandsOf(bed);
  bed.models.script((request) => request.say("hi"));
  const head = "variables: [{name: m, type: string, default: small}]\n";
  const workflow = '  tasks: [{id: q, type: ai, parameters: {prompt: hi, model: "${vars.m}"}}]';
  await bed.register("any", workflow, head);
  expect(await turn("off", "model", "open/Small", "--reason", "it leaks")).toContain("however its name is spelled");
  expect(await turn("off", "model", "open/small", "--reason", "it leaks")).toContain("is off");
  expect((await turn("list")).match(/it leaks/g)).toHaveLength(1);
  const started: string[] = [];
  for (const m of ["SMALL", "./small", "\uff53mall"]) {
    const runId = await bed.start("any", { m });
    await eventually(async () => expect(await whyItWaits(bed, runId)).toContain("calls of model open/"));
    started.push(runId);
  }
  for (const m of ["small ", "small\u200b", "sm\tall"]) {
    const { error } = await bed.reaches(await bed.start("any", { m }), RunState.FAILED);
    expect([m, error?.message]).toEqual([m, expect.stringMatching(/no blanks, control characters, or invisible/)]);
  }
  expect(bed.models.count()).toBe(0);
  expect(await turn("on", "model", "open/SMALL")).toContain("is on again");
  for (const runId of started) await bed.reaches(runId, RunState.COMPLETED);
  const refused = bed.register("bad", '  tasks: [{id: q, type: ai, parameters: {prompt: hi, model: "small "}}]');
  await expect(refused).rejects.toThrow(/no blanks/);
});
