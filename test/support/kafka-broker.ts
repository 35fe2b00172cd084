/** A Kafka broker in its own process, with its data in a temporary folder; `scripts/kafka.sh` installs it. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Admin, Producer, stringSerializers } from "@platformatic/kafka";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const SCRIPT = join(ROOT, "scripts/kafka.sh");

/** How long a broker may take to serve, milliseconds. */
const READY_MS = 90_000;

/** A running broker. */
export interface KafkaBroker {
  readonly folder: string;
  /** `127.0.0.1:port` */
  readonly address: string;
  /** Makes it stand still, or go on. */
  signal(signal: "SIGSTOP" | "SIGCONT"): void;
  /** Ends it: SIGTERM, or SIGKILL for a crash. */
  stop(signal?: "SIGTERM" | "SIGKILL"): Promise<void>;
  /** Starts it again on the same folder and port. Resolves when it serves. */
  start(): Promise<void>;
  /** Ends it and removes its data. */
  remove(): Promise<void>;
}

/**
 * Starts a broker. Resolves when it serves. `secure`: the second port after its own takes TLS and a login. `first`: it
 * is the second node of the cluster of that broker.
 */
export async function startKafkaBroker(secure = false, first: KafkaBroker | null = null): Promise<KafkaBroker> {
  execFileSync("sh", [SCRIPT, "install"], { stdio: ["ignore", "ignore", "inherit"] });
  const folder = mkdtempSync(join(tmpdir(), "orchestrator-kafka-"));
  const port = await findFreePorts();
  const address = `127.0.0.1:${port}`;
  const mode = first !== null ? ["join", first.address.replace(/^.*:/, "")] : secure ? ["secure"] : [];
  let pid = 0;
  const broker: KafkaBroker = {
    folder,
    address,
    async start() {
      pid = Number(execFileSync("sh", [SCRIPT, "start", folder, String(port), ...mode], { encoding: "utf8" }));
      await waitUntilServing(address);
    },
    signal: (signal) => void process.kill(pid, signal),
    async stop(signal = "SIGTERM") {
      if (pid === 0) return;
      process.kill(pid, signal);
      while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 50));
      pid = 0;
    },
    async remove() {
      await broker.stop("SIGKILL");
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await broker.start();
  return broker;
}

/** An open port is not readiness: a broker serves when it takes a message. */
async function waitUntilServing(address: string): Promise<void> {
  const until = performance.now() + READY_MS;
  for (;;) {
    const producer = new Producer({
      clientId: "ready",
      bootstrapBrokers: [address],
      serializers: stringSerializers,
      autocreateTopics: true,
      timeout: 2_000,
      retries: 0,
    });
    try {
      await producer.send({ messages: [{ topic: "ready", value: "?" }], acks: -1 });
      return;
    } catch (error) {
      if (performance.now() > until) throw new Error("the broker does not come up", { cause: error });
      await new Promise((resolve) => setTimeout(resolve, 200));
    } finally {
      await producer.close(true).catch(() => {});
    }
  }
}

/** Creates topics, with settings of their own. */
export async function createTopics(
  address: string,
  names: readonly string[],
  partitions = 4,
  settings: Readonly<Record<string, string>> = {},
): Promise<void> {
  const configs = Object.entries(settings).map(([name, value]) => ({ name, value }));
  await administer(address, async (admin) => {
    for (const name of names) await admin.createTopics({ topics: [name], partitions, replicas: 1, configs });
  });
}

/** Calls the broker as its administrator. The client's long retries would hide what is wrong for minutes. */
export async function administer<T>(address: string, work: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = new Admin({ clientId: "admin", bootstrapBrokers: [address], timeout: 10_000, retries: 3 });
  try {
    return await work(admin);
  } finally {
    await admin.close();
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** A free port whose two successors are free, too. */
async function findFreePorts(): Promise<number> {
  for (;;) {
    const port = await listenOnce(0);
    const next = await Promise.all([port + 1, port + 2].map((one) => listenOnce(one).catch(() => 0)));
    if (!next.includes(0)) return port;
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
