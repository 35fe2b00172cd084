/**
 * Restate: the server from its npm package with its durable defaults, and a service of one handler with three `ctx.run`
 * steps (each result is in the log before the next step begins), called through the HTTP ingress.
 *
 * Three processes, as in production: the server, the endpoint of the handler (forked by this file), and this one, the
 * client.
 */
import { type ChildProcess, fork, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Agent, request } from "undici";
import { serveSubject } from "../harness/subject.ts";
import { versionOf } from "./version.ts";

const INGRESS = "http://127.0.0.1:18080";
const ADMIN = "http://127.0.0.1:19070";
const ENDPOINT_PORT = 19080;

serveSubject(async (settings) => {
  const folder = await mkdtemp(path.join(String(settings.folder), "restate-"));
  const configuration = path.join(folder, "restate.toml");
  const partitions = Number(settings.partitions);
  await writeFile(
    configuration,
    [
      `default-num-partitions = ${partitions}`,
      "disable-telemetry = true",
      'log-filter = "error"',
      "log-disable-ansi-codes = true",
      `base-dir = ${JSON.stringify(folder)}`,
      'bind-address = "127.0.0.1:15122"',
      ...(settings.extra === undefined ? [] : [String(settings.extra)]),
      "[admin]",
      'bind-address = "127.0.0.1:19070"',
      "[ingress]",
      'bind-address = "127.0.0.1:18080"',
      "",
    ].join("\n"),
  );
  const server = startServer(configuration);
  const endpoint = fork(new URL("restate-endpoint.ts", import.meta.url), [String(ENDPOINT_PORT)], {
    stdio: ["ignore", "ignore", "ignore", "ipc"],
  });
  const agent = new Agent({ connections: null, pipelining: 1, keepAliveTimeout: 60_000 });
  await untilAnswers(`${ADMIN}/health`);
  await untilAnswers(`${INGRESS}/restate/health`);
  await register(`http://127.0.0.1:${ENDPOINT_PORT}`);
  return {
    about: {
      "@restatedev/restate-server": versionOf("@restatedev/restate-server"),
      "@restatedev/restate-sdk": versionOf("@restatedev/restate-sdk"),
      partitions,
    },
    run: async (index) => {
      const answer = await request(`${INGRESS}/three/run`, {
        dispatcher: agent,
        method: "POST",
        headers: { "content-type": "application/json" },
        body: String(index),
      });
      const text = await answer.body.text();
      if (text !== String(index + 3)) throw new Error(`Restate answered ${answer.statusCode} ${text}`);
      return 1;
    },
    close: async () => {
      await agent.close();
      await stop(endpoint);
      await stop(server);
      await rm(folder, { recursive: true, force: true });
    },
  };
});

function startServer(configuration: string): ChildProcess {
  const require = createRequire(import.meta.url);
  const name = `@restatedev/restate-server-${process.platform}-${process.arch}/package.json`;
  const binary = path.join(path.dirname(require.resolve(name)), "bin", "restate-server");
  return spawn(binary, ["--config-file", configuration, "--no-logo"], { stdio: "ignore" });
}

async function stop(child: ChildProcess): Promise<void> {
  const exited = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  await Promise.race([exited, delay(10_000).then(() => child.kill("SIGKILL"))]);
}

async function untilAnswers(url: string): Promise<void> {
  let last = "";
  for (let attempt = 0; attempt < 300; attempt++) {
    const answer = await request(url).catch((error: unknown) => {
      last = String(error);
      return undefined;
    });
    await answer?.body.dump();
    if (answer?.statusCode === 200) return;
    if (answer !== undefined) last = `status ${answer.statusCode}`;
    await delay(100);
  }
  throw new Error(`${url} does not answer: ${last}`);
}

async function register(uri: string): Promise<void> {
  let last = "";
  for (let attempt = 0; attempt < 100; attempt++) {
    const answer = await request(`${ADMIN}/deployments`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ uri }),
    });
    last = await answer.body.text();
    if (answer.statusCode < 300) return;
    await delay(200);
  }
  throw new Error(`Restate did not take the endpoint: ${last}`);
}
