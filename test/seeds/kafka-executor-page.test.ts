/**
 * docs/how-to/kafka-executor.md, executed: its executor does the task of its flow, and its answers are what it says.
 */
import { spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, inject, onTestFinished, test } from "vitest";
import { ROOT } from "../clients/programs.ts";
import { PYTHON_MISSING } from "../clients/python-environment.ts";
import { eventually } from "../support/eventually.ts";
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

/** Works until it is told that the task is over, and says how long it would have gone on otherwise. */
const PATIENT = `import os, time
from control import Control
SERVERS = {"bootstrap.servers": os.environ["KAFKA"]}
control = Control(SERVERS, os.environ["ORCHESTRATOR_KAFKA_TOPIC_PREFIX"] + "task_control")
def work(task):
    print("working", flush=True)
    while not control.is_over(task):
        time.sleep(0.05)
    print("stopped", flush=True)
    raise Exception("stopped")
`;

test.skipIf(PYTHON_MISSING)("an executor hears that its task is over", { timeout: 240_000 }, async () => {
  const broker = inject("kafka");
  const prefix = `t${randomBytes(4).toString("hex")}_`;
  const topics = ["flow_runs", "task_queue", "task_done", "task_failed", "dead_letter_queue", "task_control"];
  await createTopics(
    broker,
    topics.map((topic) => prefix + topic),
  );
  const folder = createTemporaryFolder();
  const kafka = { ORCHESTRATOR_KAFKA_TOPIC_PREFIX: prefix, ORCHESTRATOR_KAFKA_BOOTSTRAP_SERVERS: broker };
  const service = await startServeForTest({
    folder,
    env: { DATABASE_URL: url, ...kafka, ORCHESTRATOR_KAFKA_TASK_CONTROL: "true" },
  });
  writeFileSync(join(folder, "control.py"), block("python control"));
  const executor = block("python executor").replace('HANDLERS = {"greet": greet}', 'HANDLERS = {"greet": work}');
  writeFileSync(join(folder, "executor.py"), PATIENT + executor.replace('handle(task["inputs"])', "handle(task)"));
  const flow = block("yaml flow").replaceAll("greet", "patient").replace("handler: patient", "handler: greet");
  writeFileSync(join(folder, "patient.yaml"), flow);
  const program = spawn(await prepareKafkaPython(), ["executor.py"], {
    cwd: folder,
    env: { ...process.env, ...kafka, KAFKA: broker },
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void program.kill("SIGKILL"));
  let said = "";
  program.stdout.on("data", (chunk) => {
    said += chunk;
  });
  const run = (...words: string[]): string => {
    const { stdout, stderr } = spawnSync(process.execPath, [join(ROOT, "src/main.ts"), ...words], {
      cwd: folder,
      env: { ...cleanEnvironment(), ORCHESTRATOR_SERVER: service.address },
      encoding: "utf8",
      timeout: 60_000,
    });
    return stdout + stderr;
  };
  run("run", "patient.yaml", "--input", "who=Ada", "--run-id", "told-1");
  await eventually(() => expect(said).toContain("working"), { timeoutMs: 60_000 });
  run("runs", "cancel", "told-1", "--reason", "enough");
  await eventually(() => expect(said).toContain("stopped"), { timeoutMs: 20_000 });
  await eventually(async () => {
    const { rows } = await database.reads.query("SELECT state FROM orchestrator.runs WHERE run_id = 'told-1'");
    expect(rows).toEqual([{ state: "CANCELED" }]);
  });
});
