/** Endpoints that are full, not trusted, or without a key. */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { Webhook } from "standardwebhooks";
import { expect, onTestFinished, test } from "vitest";
import { RunState } from "../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { eventually } from "../support/eventually.ts";
import { createTemporaryFolder } from "../support/temporary-folder.ts";
import { startReceiver } from "../support/webhook-receiver.ts";
import { openWorkerBed } from "../support/worker-service.ts";

const KEY = `whsec_${randomBytes(32).toString("base64")}`;

function environmentFor(urls: Readonly<Record<string, string>>) {
  const secrets = createTemporaryFolder();
  const endpoints = Object.entries(urls).map(([name, url]) => [name, { url, secret: "secret://key" }]);
  return {
    secrets,
    env: {
      ORCHESTRATOR_SECRETS_DIR: secrets,
      ORCHESTRATOR_HTTP_ALLOW: "127.0.0.1",
      ORCHESTRATOR_WEBHOOKS_ENDPOINTS: JSON.stringify(Object.fromEntries(endpoints)),
    },
  };
}

const emitTo = (webhook: string): string =>
  `  tasks: [{id: tell, type: emit, parameters: {webhook: ${webhook}, payload: 1}}]\n`;

test("what is for an endpoint that is full waits, visibly, and holds up no other endpoint", {
  timeout: 120_000,
}, async () => {
  const [dead, good] = [await startReceiver(), await startReceiver()];
  const { port } = dead;
  await dead.close();
  const { secrets, env } = environmentFor({ dead: dead.url, good: good.url });
  writeFileSync(join(secrets, "key"), KEY);
  const bed = await openWorkerBed({ ...env, ORCHESTRATOR_WEBHOOKS_MAX_UNSENT_MESSAGES: "5" });
  await bed.register("dead", emitTo("dead"));
  await bed.register("good", emitTo("good"));
  for (let n = 0; n < 10; n++) await bed.reaches(await bed.start("dead"), RunState.COMPLETED);
  await eventually(() => expect(bed.service().output()).toContain("the outbox is full"), {
    timeoutMs: 30_000,
  });
  const waiting = await bed.start("dead");
  await bed.reaches(await bed.start("good"), RunState.COMPLETED);
  await eventually(() => expect(good.taken()).toHaveLength(1));
  const { findings } = await bed.client.call(RunService.method.diagnoseRun, { runId: waiting });
  expect(findings.map(({ message }) => message)).toEqual([
    "OUTBOX_FULL: too many messages wait for the endpoint; what the task has for webhook dead is deferred",
  ]);
  const metrics = await (await fetch(`http://127.0.0.1:${bed.service().metricsPort}/metrics`)).text();
  expect(metrics).toContain('orchestrator_outbox_full{carrier="webhooks",place="dead"} 1');
  expect(metrics).toContain('orchestrator_outbox_full{carrier="webhooks",place="good"} 0');
  const again = await startReceiver(port);
  await bed.reaches(waiting, RunState.COMPLETED);
  await eventually(() => expect(again.taken()).toHaveLength(11), { timeoutMs: 20_000 });
});

test("an endpoint whose certificate nobody trusts gets nothing", async () => {
  const folder = createTemporaryFolder();
  const certificate = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key -out cert -days 2";
  execFileSync("openssl", [...certificate.split(" "), "-subj", "/CN=localhost"], { cwd: folder, stdio: "ignore" });
  let requests = 0;
  const pem = { key: readFileSync(join(folder, "key")), cert: readFileSync(join(folder, "cert")) };
  const server = createServer(pem, (_request, response) => {
    requests += 1;
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const { secrets, env } = environmentFor({
    untrusted: `https://127.0.0.1:${(server.address() as AddressInfo).port}/`,
  });
  writeFileSync(join(secrets, "key"), KEY);
  const bed = await openWorkerBed(env);
  await bed.register("tell", emitTo("untrusted"));
  await bed.start("tell");
  await eventually(() =>
    expect(bed.service().output()).toMatch(/the secure connection failed.*events for a webhook wait/),
  );
  expect(requests).toBe(0);
});

test("an event waits for a key that is missing or none, and is sent once it is there", async () => {
  const receiver = await startReceiver();
  const { secrets, env } = environmentFor({ billing: receiver.url });
  const bed = await openWorkerBed(env);
  await eventually(() => expect(bed.service().output()).toMatch(/there is no secret key: put it into the file key/));
  await bed.register("tell", emitTo("billing"));
  await bed.start("tell");
  await eventually(() => expect(bed.service().output()).toMatch(/there is no secret key.*events for a webhook wait/));
  writeFileSync(join(secrets, "key"), "plain-text-is-no-key");
  await bed.start("tell");
  await eventually(() => expect(bed.service().output()).toMatch(/"webhook":"billing".*events for a webhook wait/));
  expect(receiver.received).toEqual([]);
  writeFileSync(join(secrets, "key"), KEY);
  await eventually(() => expect(receiver.taken()).toHaveLength(2), { timeoutMs: 20_000 });
  for (const { headers, body } of receiver.received) new Webhook(KEY).verify(body, headers as Record<string, string>);
  expect(bed.service().output()).not.toContain("plain-text-is-no-key");
});
