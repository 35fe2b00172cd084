/** docs/how-to/write-an-agent.md, executed: both of its agents do the task of its flow, and fail it as they say. */
import { spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, inject, onTestFinished, test } from "vitest";
import { ROOT } from "../clients/programs.ts";
import { PYTHON_MISSING, preparePackages } from "../clients/python-environment.ts";
import { findAgentProblems } from "../support/agents.ts";
import { createTestDatabase } from "../support/postgres.ts";
import { runRedisCommand } from "../support/redis-server.ts";
import { cleanEnvironment, startServeForTest } from "../support/serve-process.ts";
import { createTemporaryFolder } from "../support/temporary-folder.ts";

const PAGE = readFileSync(join(ROOT, "docs/how-to/write-an-agent.md"), "utf8");
const BLOCKS = new Map(
  [...PAGE.matchAll(/^```(\S+) (\S+)\n([\s\S]*?)^```$/gm)].map(([, language = "", mark = "", text = ""]) => [
    `${language} ${mark}`,
    text,
  ]),
);
const block = (name: string): string => BLOCKS.get(name) ?? expect.unreachable(`the page has no block ${name}`);

const port = inject("redis");
/** The second agent is the first one from another line on. */
const [head = ""] = block("python agent").split(/^channel = /m);
const AGENTS = [
  ["pub/sub", block("python agent"), "data-requests"],
  ["a stream", head + block("python stream"), "stream:data-requests"],
] as const;

test.skipIf(PYTHON_MISSING || port === 0).each(AGENTS)(
  "the agent of the page does its task over %s",
  { timeout: 240_000 },
  async (_, program, requests) => {
    expect(block("sh python")).toBe("pip install redis\n");
    expect(block("python agent").trimEnd().split("\n").length).toBeLessThanOrEqual(25);
    const prefix = `t${randomBytes(4).toString("hex")}:`;
    const folder = createTemporaryFolder();
    const { url } = await createTestDatabase();
    const redis = `redis://127.0.0.1:${port}`;
    const service = await startServeForTest({
      folder,
      env: {
        DATABASE_URL: url,
        ORCHESTRATOR_REDIS_URL: redis,
        ORCHESTRATOR_REDIS_KEY_PREFIX: prefix,
        ORCHESTRATOR_REDIS_CHANNEL_PREFIX: prefix,
        ORCHESTRATOR_AGENTS_DATA_REQUESTS: requests,
      },
    });
    writeFileSync(join(folder, "agent.py"), program);
    writeFileSync(join(folder, "quote.yaml"), block("yaml flow"));
    const python = await preparePackages("redis", ["redis==8.1.0"]);
    const agent = spawn(python, ["agent.py"], {
      cwd: folder,
      env: { ...process.env, PREFIX: prefix, REDIS_URL: redis },
      stdio: ["ignore", "inherit", "inherit"],
    });
    onTestFinished(() => void agent.kill("SIGKILL"));
    const words = block("sh run").trim().split(" ");
    expect(words[0]).toBe("./orchestrator");
    const run = (...args: string[]): string => {
      const { stdout, stderr } = spawnSync(process.execPath, [join(ROOT, "src/main.ts"), ...args], {
        cwd: folder,
        env: { ...cleanEnvironment(), ORCHESTRATOR_SERVER: service.address },
        encoding: "utf8",
        timeout: 60_000,
      });
      return stdout + stderr;
    };
    expect(run(...words.slice(1))).toContain('"price": 12.5');
    const wrong = run(...words.slice(1).map((word) => word.replace("part=gear", "part=axle")));
    expect(wrong).toContain("there is no part axle");
    const answers = runRedisCommand(port, "XRANGE", `${prefix}data-responses`, "-", "+").match(/^\{.*\}$/gm) ?? [];
    expect(answers.length).toBeGreaterThanOrEqual(2);
    for (const answer of answers) expect(findAgentProblems("response", JSON.parse(answer))).toBe("");
  },
);
