import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { eventually } from "../support/eventually.ts";
import { findFreePort } from "../support/free-port.ts";

/** A service that client programs call. */
export interface TestService {
  /** Host and port. */
  readonly address: string;
  /** Stops it; resolves when the process is gone. */
  readonly close: () => Promise<void>;
}

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/**
 * Whether this checkout has no `serve` yet and no other service was named. Then the live tests are skipped, by name.
 */
export const SERVICE_MISSING =
  (process.env.ORCHESTRATOR_TEST_ADDR ?? "") === "" &&
  readFileSync(`${ROOT}src/main.ts`, "utf8").includes("usage: orchestrator --version");

/** Environment without settings of the service that the shell may carry. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(
    ([name]) => !/^(ORCHESTRATOR_|PORT$|DATABASE_URL$|REDIS_|CI$)/.test(name),
  );
  return Object.fromEntries(own);
}

async function checkServing(address: string): Promise<void> {
  const response = await fetch(`http://${address}/v1/health?service=orchestrator`);
  const body = await response.text();
  if (response.status !== 200 || !body.includes("SERVING_STATUS_SERVING"))
    throw new Error(`${response.status} ${body}`);
}

/**
 * Gives the service at `ORCHESTRATOR_TEST_ADDR`, or starts one from this checkout on an embedded store in a folder of
 * its own. Fails with the output of the service when it does not come up within 60 s.
 */
export async function openTestService(more: Readonly<Record<string, string>> = {}): Promise<TestService> {
  const given = process.env.ORCHESTRATOR_TEST_ADDR;
  if (given !== undefined && given !== "") return { address: given, close: async () => {} };
  const folder = mkdtempSync(join(tmpdir(), "orchestrator-clients-"));
  const port = await findFreePort();
  const settings = {
    ORCHESTRATOR_PORT: String(port),
    ORCHESTRATOR_DATA_DIR: folder,
    ORCHESTRATOR_METRICS_ENABLED: "false",
    ORCHESTRATOR_LOG_FORMAT: "json",
  };
  const child = spawn(process.execPath, ["src/main.ts", "serve"], {
    cwd: ROOT,
    env: { ...cleanEnvironment(), ...settings, ...more },
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk) => (output = (output + chunk).slice(-10_000)));
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const close = async (): Promise<void> => {
    child.kill("SIGTERM");
    await gone;
    rmSync(folder, { recursive: true, force: true });
  };
  const address = `127.0.0.1:${port}`;
  try {
    const exited = gone.then(() => Promise.reject(new Error(`the service ended with ${child.exitCode}`)));
    await Promise.race([exited, eventually(() => checkServing(address), { timeoutMs: 60_000, intervalMs: 100 })]);
  } catch (error) {
    await close();
    throw new Error(`the service did not come up; its output:\n${output}`, { cause: error });
  }
  return { address, close };
}
