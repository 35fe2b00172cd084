import { expect, test } from "vitest";
import { createSecrets } from "../../../src/base/secrets/secrets.ts";
import { createDelivery } from "../../../src/bus/webhooks/delivery.ts";
import type { Outgoing } from "../../../src/engine/ports/bus/outbox.ts";

const EVENT: Outgoing = {
  ...{ runId: "run", taskPath: "a", tenantId: "t", destination: "webhook", topic: "billing" },
  ...{ key: "run", sequence: 1, at: 1 },
  ...{ kind: "event", content: { payload: 1, headers: {}, idempotencyKey: "k", flowId: "f" } },
};

test("an event says how many requests of runs led to it", async () => {
  const posted: string[] = [];
  const deliver = createDelivery({
    endpoint: {
      ...{ url: "https://billing.example", secret: `whsec_${Buffer.alloc(32).toString("base64")}`, timeoutMs: 1_000 },
      headers: { "X-Orchestrator-Hops": "0" },
    },
    secrets: createSecrets({ variable: () => undefined }),
    post: async ({ headers }) => {
      posted.push(headers["x-orchestrator-hops"] ?? "");
      return { answered: true, status: 204, retryAfterMs: null };
    },
  });
  const { content } = EVENT as Extract<Outgoing, { kind: "event" }>;
  await deliver(EVENT, new AbortController().signal);
  await deliver({ ...EVENT, kind: "event", content: { ...content, hops: 3 } }, new AbortController().signal);
  expect(posted).toEqual(["1", "4"]);
});

// Cause: a token that no header carries was tried as if the connection had been lost, event by event.
test.each(["t\u20acken-4711", "one\rtwo-4711"])(
  "a header that cannot be sent is named, and nothing is posted: %j",
  async (token) => {
    let posted = 0;
    const deliver = createDelivery({
      endpoint: {
        ...{ url: "https://billing.example", secret: `whsec_${Buffer.alloc(32).toString("base64")}`, timeoutMs: 1_000 },
        headers: { Authorization: "secret://token" },
      },
      secrets: createSecrets({ variable: () => token }),
      post: async () => {
        posted += 1;
        return { answered: true, status: 204, retryAfterMs: null };
      },
    });
    const verdict = await deliver(EVENT, new AbortController().signal);
    expect(verdict).toEqual({
      ...{ type: "failed", isAway: true, waitMs: 0 },
      reason: "the header Authorization of the endpoint (secret://token) holds characters that headers cannot carry",
    });
    expect(posted).toBe(0);
  },
);
