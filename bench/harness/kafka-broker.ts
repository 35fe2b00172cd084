/** A Kafka broker for one scenario, with its data in the folder of the sitting; `scripts/kafka.sh` installs it. */
import { execFile } from "node:child_process";
import { rm } from "node:fs/promises";
import { createServer } from "node:net";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Admin, Producer, stringSerializers } from "@platformatic/kafka";

const SCRIPT = fileURLToPath(new URL("../../scripts/kafka.sh", import.meta.url));
const run = promisify(execFile);

/** How long a broker may take to serve, milliseconds. */
const READY_MS = 90_000;

/** A running broker. */
export interface KafkaBroker {
  /** `127.0.0.1:port` */
  readonly address: string;
  /** Makes it stand still, or go on. */
  readonly signal: (signal: "SIGSTOP" | "SIGCONT") => void;
  readonly createTopics: (names: readonly string[], partitions: number) => Promise<void>;
  readonly close: () => Promise<void>;
}

/** Starts a broker below `folder`. Rejects where Java or Maven is missing. */
export async function startKafkaBroker(folder: string): Promise<KafkaBroker> {
  await run("sh", [SCRIPT, "install"]);
  const port = await findPorts();
  const address = `127.0.0.1:${port}`;
  const data = path.join(folder, `kafka-${port}`);
  const { stdout } = await run("sh", [SCRIPT, "start", data, String(port)]);
  const pid = Number(stdout);
  const kill = (): void => {
    // It has ended already.
    try {
      process.kill(pid, "SIGKILL");
    } catch {}
  };
  process.once("exit", kill);
  await untilServing(address);
  return {
    address,
    signal: (signal) => void process.kill(pid, signal),
    async createTopics(names, partitions) {
      const admin = new Admin({ clientId: "bench", bootstrapBrokers: [address] });
      await admin.createTopics({ topics: [...names], partitions, replicas: 1 });
      await admin.close();
    },
    async close() {
      await run("sh", [SCRIPT, "stop", data]);
      await rm(data, { recursive: true, force: true });
    },
  };
}

/** Opens a producer of texts. */
export function openProducer(address: string): Producer<string, string, string, string> {
  return new Producer({ clientId: "bench", bootstrapBrokers: [address], serializers: stringSerializers });
}

/** An open port is not readiness: a broker serves when it takes a message. */
async function untilServing(address: string): Promise<void> {
  const until = performance.now() + READY_MS;
  for (;;) {
    const producer = new Producer({
      ...{ clientId: "ready", bootstrapBrokers: [address], serializers: stringSerializers },
      ...{ autocreateTopics: true, timeout: 2_000, retries: 0 },
    });
    try {
      await producer.send({ messages: [{ topic: "ready", value: "?" }] });
      return;
    } catch (error) {
      if (performance.now() > until) throw new Error("the broker does not come up", { cause: error });
      await delay(200);
    } finally {
      // What it holds is of no use.
      await producer.close(true).catch(() => {});
    }
  }
}

/** A free port whose successor, which the broker uses too, is free. */
async function findPorts(): Promise<number> {
  for (;;) {
    const port = await listenOnce(0);
    if ((await listenOnce(port + 1).catch(() => 0)) !== 0) return port;
  }
}

function listenOnce(port: number): Promise<number> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}
