/** Words that say what a draft may reach. */
import { describe, expect, it } from "vitest";
import { ALL_SERVED, SERVED } from "../../../../src/flows/check/unserved.ts";
import { readPlace, readRequired, wordOf } from "../../../../src/flows/drafts/allowed.ts";

describe("a word of required_services", () => {
  it.each([
    ["data", { kind: "type", name: "data" }, "data"],
    ["billing", { kind: "service", name: "billing" }, "billing"],
    ["service:billing", { kind: "service", name: "billing" }, "billing"],
    // A service may have the name of a type.
    ["service:ai", { kind: "service", name: "ai" }, "service:ai"],
    ["HTTPS://Api.Example:443/", { kind: "origin", name: "https://api.example" }, "https://api.example"],
    ["queue:images/large", { kind: "queue", name: "images/large" }, "queue:images/large"],
    ["flow:payment", { kind: "flow", name: "payment" }, "flow:payment"],
  ])("%s is a place", (word, place, normal) => {
    expect(readPlace(word)).toEqual(place);
    expect(wordOf(place as never)).toBe(normal);
  });

  it.each(["https://api.example/v1", "https://u:p@api.example", "ftp://x", "secret:x", "queue:", "a b", "-x", ""])(
    "%s is none",
    (word) => {
      expect(readPlace(word)).toBeNull();
    },
  );
});

describe("what a request names", () => {
  it("is refused by its place and with the cure if the service does not have it", () => {
    const problemOf = (word: string, served = SERVED) => {
      try {
        readRequired(["https://ok.example", word], served);
      } catch (error) {
        return (error as Error).message;
      }
      return "none";
    };
    expect(problemOf("data")).toBe(
      "required_services[1]: agents do tasks of type data over Redis, and the service has none; set redis.url (ORCHESTRATOR_REDIS_URL)",
    );
    expect(problemOf("ai")).toContain("set models.providers (ORCHESTRATOR_MODELS_PROVIDERS), or set redis.url");
    expect(problemOf("biling", { ...SERVED, services: new Set(["billing"]) })).toContain('did you mean "billing"?');
    expect(problemOf("webhook:shop")).toContain("webhooks.endpoints has no endpoint shop");
    expect(problemOf("stream:events")).toContain("Streams need Redis");
    expect(problemOf("flow:orchestrator-goal", ALL_SERVED)).toContain("belongs to the service");
    expect(problemOf("http://x/y")).toContain("is no origin; write scheme, host, and port");
    expect(problemOf("secrets:x")).toContain("has an unknown kind; known: service:, queue:");
    expect(problemOf("!x")).toContain("is not the name of a service: up to 128 letters");
    expect(problemOf("ai", { ...SERVED, agents: true })).toBe("none");
  });
});
