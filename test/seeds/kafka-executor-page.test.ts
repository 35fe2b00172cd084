/** docs/how-to/kafka-executor.md, executed: its executor does the task of its flow, and its answers are what it says. */
import { spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, inject, onTestFinished, test } from "vitest";
import { ROOT } from "../clients/programs.ts";
import { PYTHON_MISSING } from "../clients/python-environment.ts";
import { createTopics } from "../support/kafka-broker.ts";
import { prepareKafkaPython } from "../support/kafka-python.ts";
import { createTestDatabase } from "../support/postgres.ts";
import { cleanEnvironment, startServeForTest } from "../support/serve-process.ts";
import { createTemporaryFolder } from "../support/temporary-folder.ts";

const PAGE = readFileSync(join(ROOT, "docs/how-to/kafka-executor.md"), "utf8");
const BLOCKS = new Map(
  [...PAGE.matchAll(/^```(\S+) (\S+)\n([\s\S]*?)^```$/gm)].map(([, language = "", mark = "", text = ""]) => [
    `${language} ${mark}`,
    text,
  ]),
);
const block = (name: string): string => BLOCKS.get(name) ?? expect.unreachable(`the page has no block ${name}`);

const { url, database } = await createTestDatabase();

test.skipIf(PYTHON_MISSING)("the executor of the page does the task of its flow", { timeout: 240_000 }, async () => {
  expect(block("sh python")).toBe("pip install confluent-kafka\n");
  const broker = inject("kafka");
  const prefix = `t${randomBytes(4).toString("hex")}_`;
  const topics = [...new Set(PAGE.match(/\b(?:flow_runs|task_queue|task_done|task_failed|dead_letter_queue)\b/g))];
  expect(topics).toHaveLength(5);
  await createTopics(
    broker,
    topics.map((topic) => prefix + topic),
  );
  const folder = createTemporaryFolder();
  const kafka = { ORCHESTRATOR_KAFKA_TOPIC_PREFIX: prefix, ORCHESTRATOR_KAFKA_BOOTSTRAP_SERVERS: broker };
  const service = await startServeForTest({ folder, env: { DATABASE_URL: url, ...kafka } });
  writeFileSync(join(folder, "executor.py"), block("python executor"));
  writeFileSync(join(folder, "greet.yaml"), block("yaml flow"));
  const executor = spawn(await prepareKafkaPython(), ["executor.py"], {
    cwd: folder,
    env: { ...process.env, ...kafka, KAFKA: broker },
    stdio: ["ignore", "inherit", "inherit"],
  });
  onTestFinished(() => void executor.kill("SIGKILL"));
  const words = block("sh run").trim().split(" ");
  expect(words[0]).toBe("./orchestrator");
  const run = (...more: string[]): string => {
    const { stdout, stderr } = spawnSync(process.execPath, [join(ROOT, "src/main.ts"), ...words.slice(1), ...more], {
      cwd: folder,
      env: { ...cleanEnvironment(), ORCHESTRATOR_SERVER: service.address },
      encoding: "utf8",
      timeout: 60_000,
    });
    return stdout + stderr;
  };
  expect(run()).toContain('"text": "Hello, Ada!"');
  const { rows } = await database.reads.query(
    "SELECT handler, status, attempts, input_data, execution_time_ms IS NOT NULL AS timed FROM public.task_execution_history",
  );
  expect(rows).toEqual([
    { handler: "greet", status: "COMPLETED", attempts: 1, input_data: { who: "Ada" }, timed: true },
  ]);
  expect((await database.reads.query("SELECT 1 FROM orchestrator.rejected_messages")).rows).toEqual([]);
});
