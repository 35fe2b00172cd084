/** The exec agent with podman: tasks that name an image run in a container of it, within limits, and leave nothing. */

import { readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from "vitest";
import { probePodman } from "../../examples/agents/exec/containers.ts";
import { createExecHandler } from "../../examples/agents/exec/handle.ts";
import { startAgent } from "../support/agent-processes.ts";
import { findAgentProblems, openAgentBed } from "../support/agents.ts";
import { type ContainerImage, hasPodman, makeContainerImage } from "../support/container-image.ts";
import { eventually } from "../support/eventually.ts";

const port = inject("redis");
if (!hasPodman) console.log("skipped: podman is missing (Debian: apt-get install podman)");
const firstUid = process.getuid?.() === 0 ? 64_600 : null;
const OWN = `-${process.pid}-`;

const isRunning = (word: string): boolean =>
  readdirSync("/proc").some((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      return readFileSync(`/proc/${name}/cmdline`, "utf8").includes(word);
    } catch {
      return false;
    }
  });

describe.skipIf(port === 0 || !hasPodman)("with podman", { timeout: 60_000 }, () => {
  let image: ContainerImage;
  beforeAll(() => {
    image = makeContainerImage();
    Object.assign(process.env, image.env);
  }, 120_000);
  afterAll(() => image?.remove());

  async function openBed(isRequired = true) {
    const containers = await probePodman({ pulls: false, isRequired });
    expect(containers).not.toBeNull();
    const bed = openAgentBed(port, "exec", "stream");
    const limits = { memoryMb: 128, processes: 32, diskMb: 16, maxOutputBytes: 100_000, defaultSeconds: 60 };
    await bed.open(createExecHandler({ isolation: "rewrite", containers, firstUid, folder: tmpdir(), ...limits }));
    onTestFinished(() =>
      eventually(() => {
        expect(image.listContainers()).toEqual([]);
        const isOurs = (name: string): boolean => name.startsWith("orchestrator-exec-") && name.includes(OWN);
        expect(readdirSync(tmpdir()).filter(isOurs)).toEqual([]);
      }),
    );
    return {
      ...bed,
      async call(parameters: Readonly<Record<string, unknown>>, more?: Readonly<Record<string, unknown>>) {
        const asked = { image: "python:3.9-slim", ...parameters };
        expect(findAgentProblems("exec-parameters", asked)).toBe("");
        const answer = await bed.call(asked, more);
        if (answer.status === "completed") expect(findAgentProblems("exec-output", answer.output)).toBe("");
        return answer;
      },
    };
  }

  test("a script finds its files, and what it leaves comes back", async () => {
    const bed = await openBed();
    const content = [
      "import json, os, sys",
      "data = json.load(open('/workspace/input/data.json'))",
      "json.dump({'count': len(data['words'])}, open('/workspace/output/result.json', 'w'))",
      "open('/workspace/output/mood.txt', 'w').write(os.environ['MOOD'])",
      "print('hello from', __file__, sys.argv[1])",
    ].join("\n");
    const { output, error } = await bed.call({
      command: ["python3", "/workspace/input/process.py", "/workspace/output"],
      files: [
        { name: "process.py", content },
        { name: "data.json", content: { words: ["clock", "lamp"] } },
      ],
      env: { MOOD: "calm" },
    });
    expect(error).toBeNull();
    expect(output).toMatchObject({
      ...{ exit_code: 0, stdout: "hello from /workspace/input/process.py /workspace/output\n", stderr: "" },
      ...{ result: { count: 2 }, isolation: "container" },
      files: [{ name: "mood.txt", content: "calm" }, { name: "result.json" }],
    });
  });

  test("a command sees the image alone, has no rights, and no network", async () => {
    process.env["AGENT_TEST_SECRET"] = "hidden-9d2";
    onTestFinished(() => void delete process.env["AGENT_TEST_SECRET"]);
    const bed = await openBed();
    const { output, error } = await bed.call({
      command:
        "env; id -u; grep -E 'CapEff|NoNewPrivs' /proc/self/status; wc -l </proc/net/dev; ls /; touch /usr/x 2>&1; touch /tmp/x && echo tmp",
    });
    expect(error).toBeNull();
    expect(output.stdout).not.toContain("hidden-9d2");
    expect(output.stdout).toContain("CapEff:\t0000000000000000");
    expect(output.stdout).toContain("NoNewPrivs:\t1");
    if (firstUid !== null) expect(output.stdout).toMatch(/^64\d\d\d$/m);
    // Only the loopback device is there.
    expect(output.stdout).toMatch(/^3$/m);
    expect(output.stdout).not.toMatch(/^(home|root|work)$/m);
    expect(output.stdout).toMatch(/touch.*Read-only/);
    expect(output.stdout).toMatch(/^tmp$/m);
  });

  test("an image that is not there is named, and so is what is no name of one", async () => {
    const bed = await openBed();
    for (const name of ["postgres:16", "localhost/none:1", "--privileged", "a b"])
      expect((await bed.call({ image: name, command: ["true"] })).error).toMatchObject({
        ...{ type: "IMAGE_NOT_AVAILABLE", message: expect.stringContaining(name), retryable: false },
      });
    expect((await bed.call({ command: ["nothing-of-this-name"] })).error).toMatchObject({
      ...{ type: "EXEC_FAILED", message: expect.stringContaining("nothing-of-this-name") },
    });
    expect((await bed.call({ command: "exit 125" })).error).toMatchObject({
      ...{ type: "EXEC_FAILED", details: { exit_code: 125 } },
    });
    // Where containers are not required, something on the machine stands for it.
    const other = await openBed(false);
    expect((await other.call({ image: "bash:5", command: "echo here" })).output).toMatchObject({
      ...{ stdout: "here\n", isolation: "rewrite" },
    });
    expect((await other.call({ command: "echo there" })).output).toMatchObject({ isolation: "container" });
  });

  test("time, memory, processes, and output have limits", async () => {
    const bed = await openBed();
    const stubborn = await bed.call({ command: "trap '' TERM; sleep 47.1 & wait; sleep 47.1" }, { timeout: 3 });
    expect(stubborn.error).toMatchObject({ type: "TIMEOUT", retryable: true });
    const take = "import os, time\nfor _ in range(3): os.fork()\nx = bytearray(b'x' * 60_000_000)\ntime.sleep(30)\n";
    const all = await bed.call({
      ...{ command: ["python3", "/workspace/input/a.py"], files: [{ name: "a.py", content: take }] },
    });
    // Either the agent or the control group ends it.
    expect(all.error?.type).toMatch(/^(MEMORY_LIMIT|EXEC_FAILED)$/);
    const bomb = "import os, time\nwhile True:\n  try: os.fork()\n  except OSError: time.sleep(0.05)\n";
    const forked = await bed.call(
      { command: ["python3", "/workspace/input/bomb48.py"], files: [{ name: "bomb48.py", content: bomb }] },
      { timeout: 4 },
    );
    expect(["TIMEOUT", "MEMORY_LIMIT", "EXEC_FAILED"]).toContain(forked.error?.type);
    expect((await bed.call({ command: "yes" })).error).toMatchObject({ type: "OUTPUT_LIMIT", retryable: false });
    const large = await bed.call({ command: "head -c 200000 /dev/zero > /workspace/output/zeros" });
    expect(large.error).toMatchObject({ type: "OUTPUT_TOO_LARGE" });
    await eventually(() => expect([isRunning("47.1"), isRunning("bomb48")]).toEqual([false, false]));
    expect((await bed.call({ command: "echo on" })).output?.stdout).toBe("on\n");
  });

  test("a cancel ends the container, and so does the death of the agent", async () => {
    const bed = await openBed();
    const id = await bed.send({ image: "python:3.9-slim", command: "sleep 47.3" });
    await eventually(() => expect(isRunning("47.3")).toBe(true));
    await bed.cancel(id, "no longer wanted");
    expect((await bed.answer(id)).error).toMatchObject({ type: "CANCELED", message: "no longer wanted" });
    await eventually(() => expect(isRunning("47.3")).toBe(false));

    const other = openAgentBed(port, "exec", "stream");
    const more = { ...image.env, AGENT_EXEC_ISOLATION: "container", AGENT_EXEC_PULL: "never" };
    const agent = await startAgent("exec", { port, prefix: "", isStream: true }, { ...other.env, ...more });
    await other.send({ image: "python:3.9-slim", command: "sleep 47.4" });
    // Podman has begun, and may not have made the container yet.
    await eventually(() => expect(isRunning("47.4")).toBe(true), { timeoutMs: 20_000, intervalMs: 20 });
    await agent.stop("SIGKILL");
    await eventually(() => expect(isRunning("47.4")).toBe(false), { timeoutMs: 20_000 });
  });
});
