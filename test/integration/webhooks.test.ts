/** Events of flows at real endpoints. */
import { createHmac, randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Webhook } from "standardwebhooks";
import { expect, test } from "vitest";
import { ForcedBreaker } from "../../src/gen/orchestrator/v1/breaker_pb.ts";
import { RunState } from "../../src/gen/orchestrator/v1/run_pb.ts";
import { ToolService } from "../../src/gen/orchestrator/v1/tool_service_pb.ts";
import { eventually } from "../support/eventually.ts";
import { createTemporaryFolder } from "../support/temporary-folder.ts";
import { type Receiver, startReceiver } from "../support/webhook-receiver.ts";
import { openWorkerBed, type WorkerBed } from "../support/worker-service.ts";

const SECRET = `whsec_${randomBytes(32).toString("base64")}`;

interface EndpointOptions {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeout?: string;
}

/** A service with these endpoints, which share one secret. */
async function openBed(
  endpoints: Readonly<Record<string, EndpointOptions>>,
  env: Readonly<Record<string, string>> = {},
): Promise<WorkerBed & { readonly secrets: string }> {
  const secrets = createTemporaryFolder();
  writeFileSync(join(secrets, "billing"), `${SECRET}\n`);
  const all = Object.entries(endpoints).map(([name, one]) => [name, { ...one, secret: "secret://billing" }]);
  const bed = await openWorkerBed({
    ORCHESTRATOR_SECRETS_DIR: secrets,
    ORCHESTRATOR_HTTP_ALLOW: "127.0.0.1",
    ORCHESTRATOR_WEBHOOKS_ENDPOINTS: JSON.stringify(Object.fromEntries(all)),
    ...env,
  });
  return { ...bed, secrets };
}

/** A flow that emits `count` events in a row, each with its number, to an endpoint. */
const chain = (endpoint: string, count: number): string =>
  `  tasks:\n${Array.from({ length: count }, (_, n) => {
    const after = n === 0 ? "" : `, depends_on: [e${n - 1}]`;
    return `    - {id: e${n}, type: emit${after}, parameters: {webhook: ${endpoint}, payload: {n: ${n}, of: "\${run.run_id}"}}}\n`;
  }).join("")}`;

const metric = async (bed: WorkerBed, name: string): Promise<string> => {
  const text = await (await fetch(`http://127.0.0.1:${bed.service().metricsPort}/metrics`)).text();
  return text.split("\n").find((line) => line.startsWith(name)) ?? "";
};

const ofRun = (receiver: Receiver, runId: string): readonly number[] =>
  receiver.taken().flatMap((body) => {
    const { n, of } = body as { readonly n: number; readonly of: string };
    return of === runId ? [n] : [];
  });

test("an event is posted, signed as Standard Webhooks say, and verified by their library and by hand", async () => {
  const receiver = await startReceiver();
  const bed = await openBed({ billing: { url: receiver.url, headers: { authorization: "secret://token" } } });
  writeFileSync(join(bed.secrets, "token"), "Bearer s3cret-token\n");
  await bed.register(
    "tell",
    `  tasks:
    - id: tell
      type: emit
      parameters:
        webhook: billing
        payload: {amount: 12, text: "zwölf €"}
        headers: {X-Kind: paid, Authorization: forged}
`,
  );
  const runId = await bed.start("tell");
  await bed.reaches(runId, RunState.COMPLETED);
  await eventually(() => expect(receiver.received).toHaveLength(1));
  const [{ headers, body } = { headers: {}, body: "" }] = receiver.received;
  expect(JSON.parse(body)).toEqual({ amount: 12, text: "zwölf €" });
  expect(headers).toMatchObject({
    "content-type": "application/json",
    "x-kind": "paid",
    authorization: "Bearer s3cret-token",
    "orchestrator-id": `${runId}/tell/0`,
    "webhook-id": `${runId}/tell/0`,
    "orchestrator-run-id": runId,
  });
  const verified = new Webhook(SECRET).verify(body, headers as Record<string, string>);
  expect(verified).toEqual({ amount: 12, text: "zwölf €" });
  const key = Buffer.from(SECRET.slice("whsec_".length), "base64");
  const content = `${headers["orchestrator-id"]}.${headers["orchestrator-timestamp"]}.${body}`;
  const byHand = `v1,${createHmac("sha256", key).update(content).digest("base64")}`;
  expect(headers["orchestrator-signature"]).toBe(byHand);
  // Another key does not verify, and neither does another body.
  const other = new Webhook(`whsec_${randomBytes(32).toString("base64")}`);
  expect(() => other.verify(body, headers as Record<string, string>)).toThrow();
  expect(() => new Webhook(SECRET).verify(`${body} `, headers as Record<string, string>)).toThrow();
  await eventually(async () =>
    expect(await metric(bed, "orchestrator_webhook_deliveries_total")).toMatch(
      /endpoint="billing",result="delivered"} 1$/,
    ),
  );
  expect(bed.service().output()).not.toMatch(/s3cret-token|whsec_/);
});

test("while a key is rotated, both sign; the new one counts without a restart", async () => {
  const receiver = await startReceiver();
  const bed = await openBed({ billing: { url: receiver.url } });
  await bed.register("tell", chain("billing", 1));
  const next = `whsec_${randomBytes(32).toString("base64")}`;
  const verifies = (secret: string, at: number): boolean => {
    const { headers, body } = receiver.received[at] ?? expect.unreachable("nothing was received");
    try {
      new Webhook(secret).verify(body, headers as Record<string, string>);
      return true;
    } catch {
      return false; // the signature is of another key
    }
  };
  for (const [at, secret] of [SECRET, `${SECRET} ${next}`, next].entries()) {
    writeFileSync(join(bed.secrets, "billing"), secret);
    await bed.start("tell");
    await eventually(() => expect(receiver.received).toHaveLength(at + 1));
  }
  expect([0, 1, 2].map((at) => [verifies(SECRET, at), verifies(next, at)])).toEqual([
    [true, false],
    [true, true],
    [false, true],
  ]);
});

test("an endpoint that was away gets everything, in the order of each run; its runs end meanwhile", async () => {
  const receiver = await startReceiver();
  const { port } = receiver;
  const bed = await openBed({ billing: { url: receiver.url } });
  await bed.register("tell", chain("billing", 5));
  await receiver.close();
  const runIds = await Promise.all(Array.from({ length: 20 }, () => bed.start("tell")));
  for (const runId of runIds) await bed.reaches(runId, RunState.COMPLETED);
  await eventually(() => expect(bed.service().output()).toContain("events for a webhook wait"));
  const again = await startReceiver(port);
  await eventually(() => expect(again.taken()).toHaveLength(100), { timeoutMs: 30_000 });
  for (const runId of runIds) expect(ofRun(again, runId)).toEqual([0, 1, 2, 3, 4]);
  await eventually(() => expect(bed.service().output()).toContain("events for a webhook are sent again"));
  // All of them waited for the endpoint.
  const delay = "orchestrator_outbox_delivery_seconds";
  await eventually(async () => expect(await metric(bed, `${delay}_count{destination="webhook"}`)).toMatch(/ 100$/));
  expect(await metric(bed, `${delay}_bucket{destination="webhook",le="0.005"}`)).toMatch(/ 0$/);
});

test("an endpoint that never answers holds up no other, and an event that fails only its own run", async () => {
  const [dead, good] = [await startReceiver(), await startReceiver()];
  dead.reply(() => "never");
  const bed = await openBed({ dead: { url: dead.url, timeout: "2s" }, good: { url: good.url } });
  await bed.register("dead", chain("dead", 3));
  await bed.register("good", chain("good", 3));
  for (let n = 0; n < 30; n++) await bed.start("dead");
  await eventually(() => expect(dead.received.length).toBeGreaterThan(0));
  let failing = "";
  good.reply(({ body }) => {
    const { n, of } = JSON.parse(body) as { readonly n: number; readonly of: string };
    return n === 0 && of === failing ? 500 : 200;
  });
  failing = await bed.start("good");
  await eventually(() => expect(good.received).not.toHaveLength(0));
  const runIds = await Promise.all(Array.from({ length: 10 }, () => bed.start("good")));
  await eventually(() => expect(good.taken()).toHaveLength(30), { timeoutMs: 5_000 });
  for (const runId of runIds) expect(ofRun(good, runId)).toEqual([0, 1, 2]);
  const late = failing;
  failing = "";
  await eventually(() => expect(good.taken()).toHaveLength(33), { timeoutMs: 10_000 });
  expect(ofRun(good, late)).toEqual([0, 1, 2]);
});

test("what is answered with 4xx or a redirect is never sent again; 408, 429, and 5xx are", async () => {
  const receiver = await startReceiver();
  const elsewhere = await startReceiver();
  const bed = await openBed({ billing: { url: receiver.url } });
  await bed.register(
    "tell",
    '  tasks: [{id: tell, type: emit, parameters: {webhook: billing, payload: "${vars.status}"}}]\n' +
      "variables: [{name: status, type: integer}]\n",
  );
  const tries = new Map<number, number>();
  receiver.reply(({ body }) => {
    const status = Number(body);
    const before = tries.get(status) ?? 0;
    tries.set(status, before + 1);
    if (before > 0) return 200;
    return { status, headers: status === 302 ? { location: elsewhere.url } : {} };
  });
  const never = [302, 400, 401, 404, 410, 422];
  const again = [408, 425, 429, 500, 502, 503];
  for (const status of [...never, ...again]) await bed.start("tell", { status });
  await eventually(() => expect(again.map((status) => tries.get(status))).toEqual(again.map(() => 2)), {
    timeoutMs: 30_000,
  });
  expect(never.map((status) => tries.get(status))).toEqual(never.map(() => 1));
  expect(elsewhere.received).toEqual([]);
  expect(bed.service().output()).toContain("the endpoint answered 410 GONE");
});

test("Retry-After is obeyed", async () => {
  const receiver = await startReceiver();
  const bed = await openBed({ billing: { url: receiver.url } });
  await bed.register("tell", chain("billing", 1));
  const at: number[] = [];
  receiver.reply(() => {
    at.push(performance.now());
    return at.length === 1 ? { status: 503, headers: { "retry-after": "3" } } : 200;
  });
  await bed.start("tell");
  await eventually(() => expect(at).toHaveLength(1));
  // What comes meanwhile does not shorten it.
  await bed.start("tell");
  await eventually(() => expect(at).toHaveLength(3), { timeoutMs: 10_000 });
  expect((at[1] ?? 0) - (at[0] ?? 0)).toBeGreaterThan(2_900);
});

test("a service that is killed between an answer and its own memory of it sends the event again, with the same id", async () => {
  const receiver = await startReceiver();
  const bed = await openBed({ billing: { url: receiver.url } });
  await bed.register("tell", chain("billing", 1));
  receiver.reply(() => {
    // The event has arrived, and nobody will know.
    bed.service().child.kill("SIGKILL");
    return "never";
  });
  const runId = await bed.start("tell");
  await eventually(() => expect(receiver.received).toHaveLength(1));
  receiver.reply(() => 200);
  await bed.restart();
  await eventually(() => expect(receiver.received).toHaveLength(2), { timeoutMs: 40_000 });
  expect(receiver.received.map(({ headers }) => headers["webhook-id"])).toEqual([`${runId}/e0/0`, `${runId}/e0/0`]);
});

test("what an endpoint answers is not read: 10 MB are no burden", async () => {
  const receiver = await startReceiver();
  receiver.reply(() => ({ status: 200, body: "x".repeat(10_000_000) }));
  const bed = await openBed({ billing: { url: receiver.url } });
  await bed.register("tell", chain("billing", 20));
  const runId = await bed.start("tell");
  await eventually(() => expect(ofRun(receiver, runId)).toHaveLength(20), { timeoutMs: 20_000 });
});

test("an address that the policy forbids is not called, and its events wait until an operator allows it", async () => {
  const receiver = await startReceiver();
  const bed = await openBed({ billing: { url: receiver.url } }, { ORCHESTRATOR_HTTP_ALLOW: "10.0.0.0/8" });
  await bed.register("tell", chain("billing", 1));
  const runId = await bed.start("tell");
  await bed.reaches(runId, RunState.COMPLETED);
  await eventually(() => expect(bed.service().output()).toMatch(/http\.allow.*events for a webhook wait/));
  expect(receiver.received).toEqual([]);
  await bed.restart("SIGTERM", { ORCHESTRATOR_HTTP_ALLOW: "127.0.0.1" });
  await eventually(() => expect(receiver.received).toHaveLength(1), { timeoutMs: 30_000 });
});

test("a flow that names an endpoint which is not there, an expression, or two places is refused with the cure", async () => {
  const receiver = await startReceiver();
  const bed = await openBed({ billing: { url: receiver.url } });
  const refusal = async (parameters: string): Promise<string> =>
    bed.register("bad", `  tasks: [{id: t, type: emit, parameters: ${parameters}}]\n`).then(
      () => "",
      (error: Error) => error.message,
    );
  expect(await refusal("{webhook: biling}")).toMatch(/no endpoint biling; did you mean "billing"\?/);
  expect(await refusal("{webhook: other}")).toMatch(/no endpoint other; name it in webhooks\.endpoints/);
  expect(await refusal('{webhook: "${run.run_id}"}')).toMatch(/not an expression|name of an endpoint/);
  expect(await refusal("{webhook: billing, topic: x}")).toMatch(/one of topic, webhook, and stream/);
  expect(await refusal("{}")).toMatch(/one of topic, webhook, and stream/);
  expect(await refusal("{webhook: billing, headers: {Host: x}}")).toMatch(/header Host is set by the service/);
  // Cause: headers that the service sets were left out without a word.
  for (const name of ["Webhook-Id", "orchestrator-run-id", "Content-Type", "user-agent"])
    expect(await refusal(`{webhook: billing, headers: {${name}: x}}`), name).toContain(
      `the header ${name} is set by the service`,
    );
  expect(await refusal("{topic: x, headers: {Orchestrator-Sequence: x}}")).toMatch(/Orchestrator-Sequence is set by/);
  expect(await refusal("{topic: x}")).toMatch(/kafka\.bootstrap_servers/);
  expect(await refusal("{stream: x}")).toMatch(/redis\.url/);
});

// Cause: a switch said that no call begins, and events of `emit` tasks went out.
test("events of a flow or tenant that is off wait, in their order, until it is on again", async () => {
  const receiver = await startReceiver();
  const bed = await openBed({ billing: { url: receiver.url } });
  await bed.register("wild", chain("billing", 3));
  await bed.register("calm", chain("billing", 1));
  const put = (target: object) =>
    bed.client.call(ToolService.method.putToolOverride, { ...target, anyTarget: true, breaker: ForcedBreaker.OPEN });
  const lift = (target: object) => bed.client.call(ToolService.method.liftToolOverride, { ...target, anyTarget: true });
  // The event that is under way goes on, and none after it.
  const { promise: arrived, resolve } = Promise.withResolvers<void>();
  receiver.reply(() => {
    resolve();
    return 503;
  });
  const first = await bed.start("wild");
  await arrived;
  await put({ flowId: "wild" });
  receiver.reply(() => 204);
  const second = await bed.start("wild");
  const calm = await bed.start("calm");
  for (const runId of [first, second, calm]) await bed.reaches(runId, RunState.COMPLETED);
  await eventually(() => expect(ofRun(receiver, calm)).toEqual([0]));
  expect([...ofRun(receiver, first), ...ofRun(receiver, second)]).toEqual([]);
  // The tenant, and a restart.
  await put({});
  await bed.restart("SIGKILL");
  const another = await bed.start("calm");
  await bed.reaches(another, RunState.COMPLETED);
  await lift({ flowId: "wild" });
  const held = async () => metric(bed, "orchestrator_outbox_messages");
  await eventually(async () => expect(await held()).toMatch(/ 7$/));
  expect(receiver.taken()).toHaveLength(1);
  await lift({});
  await eventually(() => {
    for (const runId of [first, second]) expect(ofRun(receiver, runId)).toEqual([0, 1, 2]);
    expect(ofRun(receiver, another)).toEqual([0]);
  });
});
