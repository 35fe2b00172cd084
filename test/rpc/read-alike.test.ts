/** What is read the same way whichever protocol brings it. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { openClients, type ProtocolClient } from "./support/clients.ts";
import { startApi, TEST_CONFIG, type TestApi } from "./support/start-api.ts";

let tested: TestApi;
let clients: readonly ProtocolClient[];

beforeAll(async () => {
  tested = await startApi();
  clients = openClients(tested.address);
});

afterAll(async () => {
  for (const client of clients) client.close();
  await tested.api.close(50);
});

/** What all protocols answer to one call; fails when they differ. */
async function askAll(init: Record<string, unknown>): Promise<Record<string, unknown>> {
  const answers: Record<string, unknown>[] = [];
  for (const client of clients) {
    const answer = await client.ask(RunService.method.startRun, init);
    const { reason, message, metadata } = answer as unknown as Record<string, unknown>;
    answers.push({ reason, message, metadata });
  }
  const [first = {}] = answers;
  for (const answer of answers) expect(answer).toEqual(first);
  return first;
}

describe("all protocols answer alike", () => {
  // JSON was refused as a whole ("body"), Protobuf by its field.
  test.each([
    [{ flowId: "a\0" }, "flow_id", "contains the character NUL"],
    [{ flowId: "f", labels: { a: "\0" } }, 'labels["a"]', "contains the character NUL"],
    [{ flowId: "f", signals: [{ signalName: "a\0" }] }, "signals[0].signal_name", "contains the character NUL"],
  ])("to NUL in %j", async (init, field, problem) => {
    const answer = await askAll(init);
    expect(answer).toMatchObject({ reason: "INVALID_REQUEST", metadata: { field } });
    expect(answer.message).toContain(`${field}: ${problem}`);
  });

  test("to NUL in a payload", async () => {
    const answer = await askAll({ flowId: "f", inputValue: { case: "input", value: { a: ["\0"] } } });
    expect(answer).toMatchObject({ reason: "INVALID_JSON", metadata: { field: "input" } });
  });

  test("to a message over the limit, with the direction in one of two words", async () => {
    const { metadata } = await askAll({ flowId: "f", userId: "x".repeat(TEST_CONFIG.maxMessageBytes) });
    expect(metadata).toEqual({ direction: "request", limit: String(TEST_CONFIG.maxMessageBytes) });
  });
});

describe("numbers, durations, and flags in text", () => {
  const list = async (query: string): Promise<string> =>
    JSON.stringify(await (await fetch(`${tested.url}/v1/runs?${query}`)).json());
  const body = async (path: string, json: string): Promise<string> => {
    const headers = { "content-type": "application/json" };
    return JSON.stringify(await (await fetch(tested.url + path, { method: "POST", headers, body: json })).json());
  };
  const listing = "/orchestrator.v1.RunService/ListRuns";

  test.each(["0x10", " 5", "5 ", "+5", "", "1_0", "010", "1.5", "5e-1", "0b1", "Infinity", "1e99", "５"])(
    "%j is no integer, in a query and in JSON",
    async (text) => {
      expect(await list(`page_size=${encodeURIComponent(text)}`)).toContain("page_size: must be a 32-bit integer");
      expect(await body(listing, JSON.stringify({ pageSize: text }))).toContain("page_size: must be a 32-bit integer");
    },
  );

  test.each(["5", "5.0", "5e0", "0.5e1", "50e-1", "-0"])("%j is one", async (text) => {
    expect(await list(`page_size=${text}`)).not.toContain("must be");
    expect(await body(listing, JSON.stringify({ pageSize: text }))).not.toContain("must be");
  });

  test.each(["1", "TRUE", "yes", ""])("%j is neither true nor false", async (text) => {
    const answer = await fetch(`${tested.url}/v1/runs/r:watch?include_ephemeral=${text}`);
    expect(JSON.stringify(await answer.json())).toContain("include_ephemeral: must be true or false");
  });

  test.each(["1s!", "1", "1m", " 1s", "0x1s", "1.0000000001s"])("%j is no duration", async (text) => {
    expect(await body("/v1/runs", JSON.stringify({ flowId: "f", wait: text }))).toContain("wait: must be a duration");
  });

  test.each(["page_size=1&page_size=2", "page_size=1&pageSize=2", "pageSize=1&page_size=1", "filter=&filter="])(
    "%s gives a field twice",
    async (query) => {
      expect(await list(query)).toContain("appears more than once");
    },
  );

  test("a query of Connect gives each of its fields once", async () => {
    const url = `${tested.url}/orchestrator.v1.RunService/GetRun?connect=v1&encoding=json&message=%7B%7D`;
    const answer = await fetch(`${url}&message=%7B%22runId%22%3A%22x%22%7D`);
    expect(await answer.json()).toMatchObject({ message: "message: appears more than once" });
  });
});

describe("words", () => {
  const post = async (path: string, type: string, body: string): Promise<string> =>
    decodeURIComponent(
      await (await fetch(tested.url + path, { method: "POST", headers: { "content-type": type }, body })).text(),
    );

  test("of libraries reach nobody", async () => {
    const path = "/orchestrator.v1.RunService/StartRun";
    const answers = [
      await post(path, "application/json", "{"),
      await post(path, "application/json", '{"flowId":}'),
      await post(path, "application/proto", "\u0007\u0007"),
      await post(path, "application/grpc-web+proto", "\u0000\u0000\u0000\u0000\u0009x"),
      await post(path, "application/grpc-web+proto", ""),
      await post(path, "application/connect+json", "{}"),
      await post("/v1/runs", "application/json", "{'a'}"),
      JSON.stringify(await (await fetch(`${tested.url}/v1/runs?filter=a%20%3D%205`)).json()),
    ];
    const foreign =
      /JSON at|Unexpected|expecting|not a orch|cannot decode|protocol error|envelope|FST_|HPE_|premature|\[internal\]/;
    for (const answer of answers) expect(answer).not.toMatch(foreign);
  });

  // Cause: the value that stands for "unspecified" was listed, and refused when it was sent.
  test.each([
    ["/v1/runs", { flowId: "f" }, "runKeyPolicy"],
    ["/v1/runs/r/approvals/t:decide", {}, "decision"],
    ["/v1/operations", { runIds: ["r"] }, "action"],
  ])("about an enum of %s list no value that is refused", async (path, rest, name) => {
    const send = (value: unknown) => post(path, "application/json", JSON.stringify({ ...rest, [name]: value }));
    for (const wrong of ["NOPE", 99]) {
      const answer = await send(wrong);
      const values = /expected one of ([A-Z_, ]+)/.exec(answer)?.[1]?.split(", ") ?? [];
      expect(values.length, answer).toBeGreaterThan(1);
      for (const value of values) expect(await send(value), value).not.toContain("expected one of");
    }
  });
});
