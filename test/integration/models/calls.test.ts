/** One call to a provider: where it goes, and whether anything was sent. */
import { expect, test } from "vitest";
import { chat } from "../../../src/tools/model/process/chat.ts";
import type { ChatCall, ChatEnd, ProviderKind } from "../../../src/tools/model/process/protocol.ts";
import { serveModels } from "../../support/model-server.ts";

const KINDS = ["openai", "anthropic"] as const;

const call = (kind: ProviderKind, url: string, more: Partial<ChatCall> = {}): ChatCall => ({
  ...{ kind, baseUrl: kind === "openai" ? `${url}/v1` : url, apiKey: "sk-1", model: "small" },
  messages: [{ role: "user", content: "a secret prompt" }],
  ...{ maxTokens: 10, temperature: null, json: null, idempotencyKey: "run/q/call 1" },
  ...{ timeoutMs: 5_000, maxTextLength: 1_000, ...more },
});

const make = (asked: ChatCall): Promise<ChatEnd> => chat(asked, new AbortController().signal, () => {});

// Cause: the prompt followed a redirect to any origin, and a 302 was requested from a metadata service.
test.each(KINDS)("no redirect is followed: %s", async (kind) => {
  const [models, elsewhere] = [await serveModels(), await serveModels()];
  elsewhere.script((request) => request.say("stolen"));
  for (const status of [301, 302, 303, 307, 308]) {
    models.script((request) => request.refuse(status, {}, { location: `${elsewhere.url}/v1/messages?token=hidden` }));
    const { error, reached } = await make(call(kind, models.url));
    expect([status, reached, error]).toMatchObject([status, "refused", { type: "REDIRECT_REFUSED" }]);
    expect(error?.message).toContain(elsewhere.url);
    expect(error?.message).not.toContain("hidden");
  }
  models.script((request) => request.refuse(307, {}, { location: "/v1/elsewhere" }));
  expect((await make(call(kind, models.url))).error?.type).toBe("REDIRECT_REFUSED");
  expect(elsewhere.count()).toBe(0);
  expect(models.count()).toBe(6);
});

// Cause: a key that no header carries was CONNECTION_LOST, and charged as if the call had been made.
test.each(KINDS)("it is known that nothing was sent: %s", async (kind) => {
  const models = await serveModels();
  models.script((request) => request.say("hi"));
  const unsent: [string, Partial<ChatCall>, string][] = [
    ["a key that no header carries", { apiKey: "k\u20acy-that-is-long" }, "MODEL_REQUEST_INVALID"],
    ["a key with a line break", { apiKey: "one\rtwo-and-three" }, "MODEL_REQUEST_INVALID"],
    ["an address that is none", { baseUrl: "http://[::" }, "MODEL_REQUEST_INVALID"],
    ["a port that is never called", { baseUrl: "http://127.0.0.1:6000" }, "MODEL_REQUEST_INVALID"],
    ["a host that is not there", { baseUrl: "http://nobody.invalid" }, "CONNECT_FAILED"],
  ];
  for (const [what, more, type] of unsent) {
    const { reached, error } = await make(call(kind, models.url, more));
    expect([what, reached, error?.type, error?.message]).toEqual([what, "unsent", type, expect.stringMatching(/./)]);
    expect(error?.message).not.toContain(more.apiKey ?? "none");
  }
  expect(models.count()).toBe(0);
  // Ids may have any letter.
  expect((await make(call(kind, models.url, { idempotencyKey: "заказ/q/call 1" }))).text).toBe("hi");
  // Sent, and never answered: nobody knows what it cost.
  models.script((request) => request.cut());
  expect(await make(call(kind, models.url))).toMatchObject({ reached: "open", error: { type: "CONNECTION_LOST" } });
  models.script(() => {});
  const silent = await make(call(kind, models.url, { timeoutMs: 300 }));
  expect(silent).toMatchObject({ reached: "open", error: { type: "TIMEOUT" } });
});
