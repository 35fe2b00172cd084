/** The image as it is deployed: built, run read-only without capabilities and with little memory, and stopped. */
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { openEmbeddedPostgres } from "../../src/store/embedded/embedded-postgres.ts";
import { run } from "../support/deploy-tools.ts";
import { eventually } from "../support/eventually.ts";
import { findFreePort } from "../support/free-port.ts";
import { buildImage, type Container, missingForImages, startContainer } from "../support/service-image.ts";
import { createTemporaryFolder } from "../support/temporary-folder.ts";

const canRun = missingForImages.length === 0;
if (!canRun) console.log(`skipped: the image, because this machine lacks ${missingForImages.join(", ")}`);
if (!canRun && process.env.CI === "true") throw new Error("run scripts/ci-services.sh install as root");

const MB = 1_000_000;
const BUILD_MS = 1_200_000;

/** Waits past the moment at which the service is told to stop. */
const FLOW = `
id: image
workflow:
  tasks:
    - {id: pause, type: wait, parameters: {duration: 3s}}
    - {id: done, type: transform, depends_on: [pause], parameters: {output: {n: "\${n}"}}}
variables: [{name: n, type: number, required: true}]
`;

async function call(
  port: number,
  path: string,
  body?: object,
): Promise<{ status: number; body: Record<string, unknown> }> {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
    method: body === undefined ? "GET" : "POST",
    headers: { "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
}

/** A database outside of the containers, over TCP. */
async function openDatabase(): Promise<string> {
  const port = await findFreePort();
  const server = await openEmbeddedPostgres({
    folder: createTemporaryFolder(),
    port,
    settings: { listen_addresses: "127.0.0.1" },
  });
  onTestFinished(() => server.close());
  const { user, database } = server.connection;
  return `postgresql://${user}@127.0.0.1:${port}/${database}`;
}

/** Starts runs one after the other until the service is stopping; returns those that it has acknowledged. */
async function startRuns(port: number): Promise<readonly string[]> {
  const runIds: string[] = [];
  for (let n = 0; ; n++) {
    try {
      const { status, body } = await call(port, "/v1/runs", { flowId: "image", input: { n } });
      if (status !== 200) return runIds;
      runIds.push((body["run"] as { runId: string }).runId);
    } catch {
      // The port has closed.
      return runIds;
    }
  }
}

/** Stops a service under load, starts the next, and expects that every acknowledged run reaches its end. */
async function checkDrain(first: Container, startNext: () => Promise<Container>): Promise<void> {
  expect((await call(first.port, "/v1/flows", { source: FLOW })).status).toBe(200);
  const starting = startRuns(first.port);
  await eventually(async () => {
    const { body } = await call(first.port, "/v1/runs");
    expect((body["runs"] as unknown[]).length).toBeGreaterThan(20);
  });
  expect(await first.stop(), await first.logs()).toBe(0);
  const acknowledged = await starting;
  expect(acknowledged.length).toBeGreaterThan(20);
  expect(await first.logs()).toContain('"message":"stopped"');
  const next = await startNext();
  await next.ready();
  for (const runId of acknowledged)
    await eventually(
      async () => {
        const { body } = await call(next.port, `/v1/runs/${runId}`);
        expect((body["run"] as { state: string }).state).toBe("RUN_STATE_COMPLETED");
      },
      { timeoutMs: 30_000, intervalMs: 100 },
    );
}

describe.skipIf(!canRun)("the slim image", () => {
  let image: { tag: string; id: string };
  beforeAll(async () => {
    image = await buildImage("slim", "slim");
  }, BUILD_MS);

  test("runs read-only with 256 MB and a database outside, and loses nothing when it is stopped", async () => {
    const env = { DATABASE_URL: await openDatabase() };
    const start = () => startContainer(image.tag, { memory: "256m", env });
    const first = await start();
    await first.ready();
    // As in the docs: every address, metrics at their port, and a command beside the service.
    expect(await (await fetch(`http://127.0.0.1:${first.metricsPort}/metrics`)).text()).toContain("orchestrator_");
    expect(await first.exec("orchestrator", "health", "--server", `127.0.0.1:${first.port}`)).toContain("SERVING");
    await expect(first.exec("touch", "/app/here")).rejects.toThrow("Read-only");
    await checkDrain(first, start);
  });

  test("runs as any user with a database outside", async () => {
    const env = { DATABASE_URL: await openDatabase() };
    const container = await startContainer(image.tag, { memory: "256m", env, options: ["--user", "54321:0"] });
    await container.ready();
    expect(await container.exec("id", "-u")).toBe("54321");
    expect(await container.stop()).toBe(0);
  });

  test("without a database says what to do", async () => {
    const container = await startContainer(image.tag, { memory: "256m" });
    expect(await container.ended()).toBe(5);
    expect(await container.logs()).toMatch(/PostgreSQL cannot run here: .*is not installed.* set DATABASE_URL/);
  });

  test("reads /etc/orchestrator/orchestrator.yaml", async () => {
    const folder = createTemporaryFolder();
    writeFileSync(join(folder, "orchestrator.yaml"), "server: {drain_timeout: 7s}\n");
    mkdirSync(join(folder, "templates"));
    spawnSync("chmod", ["-R", "a+rX", folder]);
    const printed = await run("podman", [
      ...["--runtime", "runc", "--cgroup-manager", "cgroupfs", "run", "--rm", "--network", "host", "--read-only"],
      ...["--ulimit", "nofile=10000:10000", "--ulimit", "nproc=10000:10000"],
      ...["--volume", `${folder}:/etc/orchestrator:ro`, image.tag, "config", "print"],
    ]);
    expect(printed).toMatch(/drain_timeout: 7s.*orchestrator\.yaml/);
  });

  test("is what its Dockerfile promises", async () => {
    const [inspected] = JSON.parse(await run("podman", ["image", "inspect", image.tag]));
    const { User, StopSignal, ExposedPorts, Entrypoint, Cmd, Labels } = inspected.Config;
    expect({ User, StopSignal, ExposedPorts: Object.keys(ExposedPorts), Cmd }).toEqual({
      User: "10001:0",
      StopSignal: "SIGTERM",
      ExposedPorts: ["8002/tcp", "9090/tcp"],
      Cmd: ["serve"],
    });
    expect(Entrypoint).toEqual(["/usr/local/bin/node", "/app/dist/main.js"]);
    expect(inspected.Healthcheck.Test).toContain("/app/health-check.mjs");
    const names = ["title", "description", "licenses", "version", "revision", "created", "base.name"];
    expect(Object.keys(Labels)).toEqual(
      expect.arrayContaining(names.map((name) => `org.opencontainers.image.${name}`)),
    );
    expect(inspected.Size).toBeLessThan(360 * MB);
  });
});

const isLong = canRun && process.env.ORCHESTRATOR_TEST_IMAGE === "full";
if (canRun && !isLong) console.log("skipped: the full image, and a second build (ORCHESTRATOR_TEST_IMAGE=full)");

if (isLong)
  describe("the full image", () => {
    let tag = "";
    beforeAll(async () => {
      tag = (await buildImage("full", "full")).tag;
    }, BUILD_MS);

    test("runs read-only with 512 MB and the embedded database in a volume, and loses nothing when it is stopped", async () => {
      const volume = `orchestrator-test-${await findFreePort()}`;
      onTestFinished(async () => {
        await run("podman", ["volume", "rm", "--force", volume]);
      });
      const start = () =>
        startContainer(tag, { memory: "512m", options: ["--volume", `${volume}:/var/lib/orchestrator`] });
      const first = await start();
      await first.ready();
      await checkDrain(first, start);
    });

    // podman writes an entry into /etc/passwd unless told otherwise; other engines do not.
    test("refuses a user without a name, and says what to do", async () => {
      const container = await startContainer(tag, { memory: "512m", options: ["--user", "54321:0", "--passwd=false"] });
      expect(await container.ended()).toBe(5);
      expect(await container.logs()).toMatch(/no user 54321, run as one that it has; .* set DATABASE_URL/);
    });

    test("runs as a user without a name with a database outside", async () => {
      const env = { DATABASE_URL: await openDatabase() };
      const container = await startContainer(tag, { memory: "256m", env, options: ["--user", "54321:0"] });
      await container.ready();
      expect(await container.stop()).toBe(0);
    });

    test("has the size that its page says, at most 420 MB, 160 MB compressed", async () => {
      const size = Number(await run("podman", ["image", "inspect", "--format", "{{.Size}}", tag]));
      expect(size).toBeLessThan(420 * MB);
      const archive = join(createTemporaryFolder(), "image");
      await run("buildah", ["push", "--quiet", "--compression-format", "gzip", tag, `dir:${archive}`]);
      const layers = readdirSync(archive).map((name) => statSync(join(archive, name)).size);
      expect(layers.reduce((sum, bytes) => sum + bytes, 0)).toBeLessThan(160 * MB);
    });
  });

if (isLong)
  describe("a second build", () => {
    test(
      "is the same image",
      async () => {
        const first = await buildImage("slim", "again-1");
        const second = await buildImage("slim", "again-2");
        expect(second.id).toBe(first.id);
      },
      2 * BUILD_MS,
    );
  });
