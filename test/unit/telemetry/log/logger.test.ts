import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { toError } from "../../../../src/base/errors.ts";
import { openLogger } from "../../../../src/telemetry/log/logger.ts";

async function gather(level: "debug" | "info" = "debug") {
  const lines: Record<string, unknown>[] = [];
  const destination = { write: (line: string) => void lines.push(JSON.parse(line)) };
  const log = await openLogger({ level, format: "json", fields: { instanceId: "i1" }, destination });
  return { log, lines };
}

test("a line is one JSON object with level, time, message and fields in snake case", async () => {
  const { log, lines } = await gather();
  log.info("run ended", { runId: "r", tenantId: "t", taskId: "x", correlationId: "c", durationMs: 5 });
  expect(lines).toEqual([
    {
      level: "info",
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      instance_id: "i1",
      run_id: "r",
      tenant_id: "t",
      task_id: "x",
      correlation_id: "c",
      duration_ms: 5,
      message: "run ended",
    },
  ]);
});

test("json-seed has the time and the levels of merged systems", async () => {
  const lines: object[] = [];
  const destination = { write: (line: string) => void lines.push(JSON.parse(line)) };
  const log = await openLogger({ level: "debug", format: "json-seed", destination });
  log.info("Task submitted successfully", { taskId: "x", priority: "high" });
  log.warn("w");
  log.error("e");
  log.debug("d");
  const timestamp = expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/);
  expect(lines).toEqual([
    { level: "INFO", timestamp, message: "Task submitted successfully", task_id: "x", priority: "high" },
    { level: "WARNING", timestamp, message: "w" },
    { level: "ERROR", timestamp, message: "e" },
    { level: "DEBUG", timestamp, message: "d" },
  ]);
});

test("lines below the level are not written, nor are their fields looked at", async () => {
  const { log, lines } = await gather("info");
  log.debug("hidden", {
    get runId(): string {
      throw new Error("looked at");
    },
  });
  expect(lines).toEqual([]);
});

test("errors keep type, code, stack and causes, and nothing else of themselves", async () => {
  const { log, lines } = await gather();
  const foreign = Object.assign(new Error("connect failed"), { code: "ECONNREFUSED", config: { password: "hunter2" } });
  log.error("away", { error: toError("STORE_UNAVAILABLE", { problem: "refused" }, { cause: foreign }) });
  expect(lines[0]?.error).toMatchObject({
    type: "OrchestratorError",
    code: "STORE_UNAVAILABLE",
    details: { problem: "refused" },
    stack: expect.stringContaining("logger.test.ts"),
    cause: { code: "ECONNREFUSED", message: "connect failed" },
  });
  expect(JSON.stringify(lines)).not.toContain("hunter2");
});

test("what names a secret is blotted out, at any depth", async () => {
  const { log, lines } = await gather();
  log.info("x", {
    password: "a1",
    headers: { Authorization: "b2", list: [{ apiKey: "c3", accessToken: "d4" }] },
    tokens: "e5",
    plain: "f6",
  });
  const text = JSON.stringify(lines);
  for (const secret of ["a1", "b2", "c3", "d4", "e5"]) expect(text).not.toContain(`"${secret}"`);
  expect(text).toContain("f6");
});

test("values cannot forge lines or fill the disk", async () => {
  const { log, lines } = await gather();
  const loop: { self?: unknown } = {};
  loop.self = loop;
  log.info('forged"}\n{"level":"error"', { flowId: "a\u001b[31m\nb", text: "x".repeat(100_000), big: 10n, loop });
  expect(lines).toHaveLength(1);
  expect(String(lines[0]?.text).length).toBeLessThan(5_000);
  expect(lines[0]?.big).toBe("10");
});

test("lines for machines are gathered, and none is lost when the process ends", () => {
  const module = new URL("../../../../src/telemetry/log/logger.ts", import.meta.url).href;
  const script = `
    const { openLogger } = await import(${JSON.stringify(module)});
    const log = await openLogger({ level: "info", format: "json" });
    for (let line = 0; line < 1_000; line += 1) log.info("line", { line });
    process.exit(3);`;
  const { status, stdout } = spawnSync(process.execPath, ["--input-type=module", "--eval", script], {
    encoding: "utf8",
  });
  expect(status).toBe(3);
  const written = stdout
    .trim()
    .split("\n")
    .map((text) => Number(JSON.parse(text).line));
  expect(written.sort((a, b) => a - b)).toEqual(Array.from({ length: 1_000 }, (_, line) => line));
});

test("a line holds no character that makes it look like another one", async () => {
  const { log, lines } = await gather();
  const bad = [
    "\u0000",
    "\u001b[2J",
    "\u007f",
    "\u0085",
    "\u2028",
    "\u2029",
    "\u200e",
    "\u202e",
    "\u2066",
    "\u2069",
  ].join("a");
  const cause = new Error(bad);
  log.info(`x${bad}\ny`, { flowId: bad, nested: { [bad]: [bad] }, error: new Error(bad, { cause }) });
  const texts: string[] = [];
  JSON.stringify(lines[0], (key, value) => {
    texts.push(key, typeof value === "string" ? value : "");
    return value;
  });
  for (const text of texts) expect(text).not.toMatch(/[^\n\P{C}]|[\u2028\u2029]/u);
  expect(lines[0]?.flow_id).toContain("\\u202e");
  expect(String(lines[0]?.message)).toMatch(/^x\\u0000a.*\\ny$/);
});
