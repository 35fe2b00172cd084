/** The exec agent: commands within their limits, whatever they try, on this machine's namespaces and without them. */
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { describe, expect, inject, onTestFinished, test } from "vitest";
import { createExecHandler } from "../../examples/agents/exec/handle.ts";
import { probeNamespaces } from "../../examples/agents/exec/isolation.ts";
import { findAgentProblems, openAgentBed } from "../support/agents.ts";
import { eventually } from "../support/eventually.ts";

const port = inject("redis");
const isLinux = process.platform === "linux";
const firstUid = process.getuid?.() === 0 ? 64_100 : null;
const hasNamespaces = isLinux && (await probeNamespaces(firstUid));
if (!hasNamespaces) console.log("skipped: commands in namespaces, because they cannot be made here");
const isolations = hasNamespaces ? (["namespace", "rewrite"] as const) : (["rewrite"] as const);

const OWN = `-${process.pid}-`;
const PYTHON = { image: "python:3.9-slim" };
const script = (name: string, content: string) => ({ files: [{ name, content }] });

/** Processes of the machine whose command line has a word. */
const findProcesses = (word: string): readonly string[] =>
  readdirSync("/proc").filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      return readFileSync(`/proc/${name}/cmdline`, "utf8").includes(word);
    } catch {
      return false;
    }
  });

describe.skipIf(port === 0 || !isLinux).each(isolations)("with %s", (isolation) => {
  const defaults = {
    folder: tmpdir(),
    memoryMb: 256,
    processes: 32,
    diskMb: 16,
    maxOutputBytes: 100_000,
    defaultSeconds: 60,
  };

  async function openBed(more: Partial<typeof defaults> = {}) {
    const bed = openAgentBed(port, "exec", "stream");
    await bed.open(createExecHandler({ isolation, containers: null, firstUid, ...defaults, ...more }));
    // Whatever happened, nothing is left.
    const leftovers = () =>
      readdirSync(tmpdir()).filter((name) => /^orchestrator-exec-/.test(name) && name.includes(OWN));
    onTestFinished(() => eventually(() => expect(leftovers()).toEqual([])));
    return {
      ...bed,
      async call(parameters: unknown, more?: Readonly<Record<string, unknown>>) {
        expect(findAgentProblems("exec-parameters", parameters)).toBe("");
        const answer = await bed.call(parameters, more);
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
      "os.makedirs('/workspace/output/more')",
      "open('/workspace/output/more/words.txt', 'w').write(' '.join(data['words']) + ' – ' + os.environ['MOOD'])",
      "json.dump({'count': len(data['words'])}, open('/workspace/output/result.json', 'w'))",
      "open('/workspace/output/bytes.bin', 'wb').write(bytes([0, 255, 10]))",
      "print('hello from', __file__, sys.argv[1])",
      "print('careful', file=sys.stderr)",
    ].join("\n");
    const { output, error } = await bed.call({
      ...PYTHON,
      command: ["python", "/workspace/input/process.py", "/workspace/output"],
      files: [
        { name: "process.py", content },
        { name: "data.json", content: { words: ["clock", "lamp"] } },
        { name: "raw/logo.bin", content: Buffer.from([1, 2, 3]).toString("base64"), encoding: "base64" },
      ],
      env: { MOOD: "calm" },
    });
    expect(error).toBeNull();
    expect(output).toMatchObject({
      exit_code: 0,
      stdout: "hello from /workspace/input/process.py /workspace/output\n",
      stderr: "careful\n",
      stdout_truncated: false,
      result: { count: 2 },
      files: [
        { name: "bytes.bin", size: 3, encoding: "base64", content: "AP8K" },
        { name: "more/words.txt", encoding: "utf-8", content: "clock lamp – calm" },
        { name: "result.json" },
      ],
      isolation,
    });
  });

  // Cause: the empty /tmp of a command hid what was below the /tmp of the machine.
  test.each([["bin"], [""]])("an interpreter below /tmp is there, and nothing else of /tmp (%#)", async (path) => {
    const folder = mkdtempSync(join(tmpdir(), "exec-python-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    chmodSync(folder, 0o755);
    const bin = join(folder, path);
    mkdirSync(bin, { recursive: true });
    const real = realpathSync("/usr/bin/python3");
    copyFileSync(real, join(bin, "python3"));
    writeFileSync(join(tmpdir(), basename(folder) + ".secret"), "x");
    onTestFinished(() => rmSync(join(tmpdir(), basename(folder) + ".secret")));
    const before = process.env.PATH;
    onTestFinished(() => void (process.env.PATH = before));
    process.env.PATH = `${bin}:${before}`;
    const bed = await openBed();
    const print = "import os, sys; print(os.path.realpath(sys.executable), os.listdir('/tmp'))";
    const { output } = await bed.call({ ...PYTHON, command: ["python", "-c", print] });
    expect(output?.stdout).toContain(join(bin, "python3"));
    if (isolation === "namespace") expect(output?.stdout).not.toContain("secret");
  });

  test("a task has its folder where ORCHESTRATOR_WORKSPACE says, while it runs", async () => {
    const folder = join(mkdtempSync(join(tmpdir(), "workspace-")), "orchestrator");
    onTestFinished(() => rmSync(dirname(folder), { recursive: true, force: true }));
    chmodSync(dirname(folder), 0o755);
    const bed = await openBed({ folder });
    const command = "pwd; cat input/a; until [ -e input/go ]; do sleep 0.1; done; echo done > output/b";
    const id = await bed.send({ command, files: [{ name: "a", content: "x" }] });
    const workspace = () => join(folder, readdirSync(folder)[0] ?? "none", "workspace");
    await eventually(() => expect(readFileSync(join(workspace(), "input/a"), "utf8")).toBe("x"));
    writeFileSync(join(workspace(), "input/go"), "");
    expect((await bed.answer(id)).output).toMatchObject({
      stdout: "/workspace\nx",
      files: [{ name: "b", content: "done\n" }],
    });
    await eventually(() => expect(readdirSync(folder)).toEqual([]));
  });

  test("an image is a local interpreter, or not available", async () => {
    const bed = await openBed();
    const node = { command: ["node", "/workspace/input/a.js"], ...script("a.js", "console.log(1 + 1)") };
    expect((await bed.call({ image: "node:22-alpine", ...node })).output).toMatchObject({ stdout: "2\n" });
    for (const image of ["alpine", "docker.io/library/bash:5", "debian:bookworm-slim"])
      expect((await bed.call({ image, command: "echo $HOME" })).output?.exit_code).toBe(0);
    for (const image of ["someone/python:3", "postgres:16", "python@latest", "constructor"])
      expect((await bed.call({ image, command: ["true"] })).error).toMatchObject({
        type: "IMAGE_NOT_AVAILABLE",
        message: expect.stringContaining(image),
        retryable: false,
      });
  });

  test("a command that fails is an error with the end of its stderr", async () => {
    const bed = await openBed();
    const { error } = await bed.call({ command: "echo the reason >&2; exit 3" });
    expect(error).toEqual({
      type: "EXEC_FAILED",
      message: "the command exited with 3: the reason",
      retryable: false,
      details: { exit_code: 3, stderr: "the reason" },
    });
    const crashed = await bed.call({ ...PYTHON, command: ["python", "-c", "import os; os.kill(os.getpid(), 11)"] });
    expect(crashed.error).toMatchObject({
      type: "EXEC_FAILED",
      message: expect.stringMatching(/^the command was killed by SIGSEGV/),
    });
    const missing = await bed.call({ command: ["no-such-program"] });
    expect(missing.error).toMatchObject({ type: "EXEC_FAILED", message: expect.stringContaining("no-such-program") });
    const bad = await bed.call({ command: "echo '{' > /workspace/output/result.json" });
    expect(bad.error).toMatchObject({ type: "RESULT_INVALID" });
    const write = "import sys; open('/workspace/output/result.json', 'w').write('[' * 30000 + ']' * int(sys.argv[1]))";
    for (const closed of ["0", "30000"])
      expect((await bed.call({ ...PYTHON, command: ["python", "-c", write, closed] })).error).toMatchObject({
        type: "RESULT_INVALID",
        message: expect.stringContaining("it nests 30000 levels deep"),
      });
  });

  test.each([
    ["an argument with NUL", { command: ["echo", "a\0b"] }],
    ["a long argument", { command: ["echo", "x".repeat(300_000)] }],
    ["a long line", { command: `echo ${"é".repeat(70_000)}` }],
    ["a long variable", { command: "true", env: { A: "x".repeat(131_072) } }],
    ["many arguments", { command: ["echo", ...Array(20).fill("x".repeat(100_000))] }],
  ])("%s is refused", async (_, parameters) => {
    const bed = await openBed();
    expect((await bed.call(parameters)).error).toMatchObject({ type: "REQUEST_INVALID", retryable: false });
  });

  test("arguments may be as long as the limits say", async () => {
    const bed = await openBed();
    const command = ["echo", ...Array(8).fill("x".repeat(130_990))];
    expect((await bed.call({ command })).error).toBeNull();
  });

  test.each(["../a", "/etc/a", "a/../../b", "a//b", "./a", "a\\b", "..", "a/"])(
    "a file cannot be named %s",
    async (name) => {
      const bed = await openBed();
      const { error } = await bed.call({ command: "true", ...script(name, "x") });
      expect(error).toMatchObject({ type: "FILE_NAME_INVALID", retryable: false });
    },
  );

  test("two files cannot be in one place", async () => {
    const bed = await openBed();
    const call = (...names: string[]) =>
      bed.call({ command: "true", files: names.map((name) => ({ name, content: "x" })) });
    expect((await call("a", "a")).error?.type).toBe("FILE_NAME_INVALID");
    expect((await call("a", "a/b")).error?.type).toBe("FILE_NAME_INVALID");
    expect((await call("a/c", "a/b")).error).toBeNull();
  });

  test("links, pipes, and what cannot be read are named and never followed", async () => {
    const bed = await openBed();
    const { output } = await bed.call({
      command:
        "cd /workspace/output; ln -s /etc/passwd link; ln -s / folder; mkfifo pipe; mkdir in; ln -s /etc in/etc; echo ok > fine",
    });
    expect(output.files).toEqual([{ name: "fine", size: 3, encoding: "utf-8", content: "ok\n" }]);
    expect(output.skipped).toEqual([
      { name: "folder", reason: "symbolic link" },
      { name: "in/etc", reason: "symbolic link" },
      { name: "link", reason: "symbolic link" },
      { name: "pipe", reason: "no file" },
    ]);
    // A folder that the command takes away from the agent is removed all the same.
    expect((await bed.call({ command: "mkdir /workspace/output/x && chmod 0 /workspace/output/x" })).status).toBe(
      "completed",
    );
  });

  test("what a command prints comes back as it is, as base64 if it is no text, and cut if it is long", async () => {
    const bed = await openBed();
    expect((await bed.call({ command: "printf 'a\\0b'" })).output).toMatchObject({
      stdout: Buffer.from("a\0b").toString("base64"),
      stdout_encoding: "base64",
    });
    const long = await bed.call({ ...PYTHON, command: ["python", "-c", "print('é' * 300000)"] });
    expect(long.output).toMatchObject({ stdout_truncated: true, stdout_encoding: "utf-8", stderr: "" });
    expect(long.output.stdout).toMatch(/^é+$/);
    const endless = await bed.call({ command: "yes" });
    expect(endless.error).toMatchObject({ type: "OUTPUT_LIMIT", retryable: false });
  });

  test("files that are too large, too many, or endless are an error", async () => {
    const bed = await openBed();
    const large = await bed.call({ command: "head -c 200000 /dev/zero > /workspace/output/zeros" });
    expect(large.error).toMatchObject({ type: "OUTPUT_TOO_LARGE", message: expect.stringContaining("200000") });
    const many = await bed.call({ command: "cd /workspace/output; for i in $(seq 1100); do : > $i; done" });
    expect(many.error).toMatchObject({ type: "OUTPUT_TOO_LARGE" });
    // One file has the limit of files, more of them that of the disk.
    const one = await bed.call({ command: "cat /dev/zero > /workspace/output/zeros" });
    expect(one.error).toMatchObject({ type: expect.stringMatching(/^(EXEC_FAILED|DISK_LIMIT)$/) });
    const disk = await bed.call({
      command: "cd /workspace; i=0; while :; do i=$((i+1)); head -c 4000000 /dev/zero > output/$i || sleep 9; done",
    });
    expect(disk.error).toMatchObject({ type: "DISK_LIMIT", retryable: false });
  });

  test("memory has a limit for one process, and for all of them together", async () => {
    const bed = await openBed();
    const one = await bed.call({ ...PYTHON, command: ["python", "-c", "x = bytearray(400_000_000)"] });
    expect(one.error).toMatchObject({ type: "EXEC_FAILED", message: expect.stringContaining("MemoryError") });
    const take = "import time, os\nfor _ in range(5): os.fork()\nx = bytearray(b'x' * 60_000_000)\ntime.sleep(30)\n";
    const all = await bed.call({ ...PYTHON, command: ["python", "/workspace/input/a.py"], ...script("a.py", take) });
    expect(all.error).toMatchObject({ type: "MEMORY_LIMIT", retryable: false });
  });

  test("a command ends at its timeout, also when it ignores that, or leaves others behind", async () => {
    const bed = await openBed();
    const stubborn = await bed.call({ command: "trap '' TERM; sleep 44.1 & wait; sleep 44.1" }, { timeout: 0.5 });
    expect(stubborn.error).toMatchObject({ type: "TIMEOUT", retryable: true });
    const daemon = await bed.call({ command: "setsid sleep 44.2 & sleep 44.2 & echo started" });
    expect(daemon.output).toMatchObject({ stdout: "started\n" });
    await eventually(() => expect([...findProcesses("44.1"), ...findProcesses("44.2")]).toEqual([]));
  });

  test("a fork bomb is bounded, and gone at its timeout", async () => {
    const bed = await openBed();
    const bomb = "import os, time\nwhile True:\n  try: os.fork()\n  except OSError: time.sleep(0.05)\n";
    const parameters = { ...PYTHON, command: ["python", "/workspace/input/bomb77.py"], ...script("bomb77.py", bomb) };
    const { error } = await bed.call(parameters, { timeout: 1.5 });
    expect(["TIMEOUT", "MEMORY_LIMIT"]).toContain(error?.type);
    await eventually(() => expect(findProcesses("bomb77")).toEqual([]));
    // The machine has room for the next one.
    expect((await bed.call({ command: "echo on" })).output?.stdout).toBe("on\n");
  });

  test("a cancel ends the command at once", async () => {
    const bed = await openBed();
    const id = await bed.send({ command: "sleep 44.3" });
    await eventually(() => expect(findProcesses("44.3")).not.toEqual([]));
    await bed.cancel(id, "no longer wanted");
    expect((await bed.answer(id)).error).toMatchObject({ type: "CANCELED", message: "no longer wanted" });
    await eventually(() => expect(findProcesses("44.3")).toEqual([]));
  });

  test("a command sees none of the agent's variables and has none of its rights", async () => {
    process.env["AGENT_TEST_SECRET"] = "hidden-7c1";
    onTestFinished(() => void delete process.env["AGENT_TEST_SECRET"]);
    const bed = await openBed();
    const { output, error } = await bed.call({
      command:
        "env; cat /proc/1/environ 2>/dev/null | tr '\\0' '\\n'; id -u; grep CapEff /proc/self/status; cat /proc/net/dev | wc -l",
      env: { LD_PRELOAD: "/workspace/none.so" },
    });
    expect(error).toBeNull();
    expect(output.stdout).not.toContain("hidden-7c1");
    expect(output.stdout).toContain("CapEff:\t0000000000000000");
    if (firstUid !== null) expect(output.stdout).toMatch(/^64\d\d\d$/m);
    if (isolation === "namespace") {
      // Only the loopback device is there.
      expect(output.stdout).toMatch(/^3$/m);
      const { output: seen } = await bed.call({
        command: "ls /; ls /home /root /work 2>&1; touch /usr/x 2>&1; ps 2>&1 | wc -l",
      });
      expect(seen.stdout).not.toMatch(/^(home|root|work)$/m);
      expect(seen.stdout).toMatch(/touch.*(Read-only|Permission denied)/);
    }
  });
});
