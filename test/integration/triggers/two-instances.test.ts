/** Webhooks at two instances: the same delivery at both at once, keys whose run another instance has, and a death. */
import { expect, test } from "vitest";
import { eventually } from "../../support/eventually.ts";
import { createTestDatabase } from "../../support/postgres.ts";
import { startServeForTest } from "../../support/serve-process.ts";
import { createTemporaryFolder } from "../../support/temporary-folder.ts";
import { openTriggeredFlow } from "../../support/triggered-flow.ts";
import { GITHUB_SECRET, post, signGithub } from "../../support/webhook-sender.ts";

const trigger = (id: string, more = ""): string => `id: ${id}
flow_id: told
source: {type: webhook, scheme: github, secrets: ["secret://github"]}
start: {input: {what: "\${event.body.n}"}${more}}
`;

test("deliveries that come to two instances at once are one run each, whoever dies", { timeout: 120_000 }, async () => {
  const { url, database } = await createTestDatabase();
  const serve = () =>
    startServeForTest({
      folder: createTemporaryFolder(),
      env: { DATABASE_URL: url, ORCHESTRATOR_SECRET_GITHUB: GITHUB_SECRET, ORCHESTRATOR_LEASE_TTL: "3s" },
    });
  const [first, second] = await Promise.all([serve(), serve()]);
  const flow = await openTriggeredFlow(first.address);
  await flow.put(trigger("plain"));
  await flow.put(trigger("latest", ', run_key: "${event.body.key}", run_key_policy: terminate_and_start'));
  const send = ({ address }: { readonly address: string }, id: string, n: number) => {
    const body = JSON.stringify({ n, key: `k${n % 3}` });
    return post(`http://${address}/v1/triggers/${id}:receive`, body, signGithub(body, `${id}-${n}`));
  };
  // The other instance has heard of both within a second.
  await eventually(async () => {
    expect((await send(second, "plain", 0)).status).toBe(200);
    expect((await send(second, "latest", 0)).status).toBe(200);
  });
  for (const id of ["plain", "latest"]) {
    const numbers = Array.from({ length: 12 }, (_, n) => n);
    const pairs = await Promise.all(numbers.map((n) => Promise.all([send(first, id, n), send(second, id, n)])));
    for (const [one, other] of pairs) {
      expect([one.status, other.status], JSON.stringify([one.body, other.body])).toEqual([200, 200]);
      expect(one.body).toEqual(other.body);
    }
  }
  const count = async (): Promise<number> =>
    Number((await database.reads.query<{ n: number }>("SELECT count(*) AS n FROM orchestrator.runs")).rows[0]?.n);
  expect(await count()).toBe(24);
  await first.stop("SIGKILL");
  await eventually(async () => expect((await send(second, "plain", 5)).status).toBe(200), { timeoutMs: 30_000 });
  expect(await count()).toBe(24);
});
