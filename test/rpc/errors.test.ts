import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ERROR_DOMAIN } from "../../src/api/errors/status.ts";
import { GRPC_CODE } from "../../src/base/error-catalog/entry.ts";
import { ERRORS } from "../../src/base/error-catalog.ts";
import type { ErrorCode } from "../../src/base/errors.ts";
import { OrchestratorError, toError } from "../../src/base/errors.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import type { Answer, ProtocolClient } from "./support/clients.ts";
import { openClients } from "./support/clients.ts";
import type { TestApi } from "./support/start-api.ts";
import { startApi } from "./support/start-api.ts";

const PROTOCOLS = ["grpc", "grpc-web", "connect json", "connect proto", "rest"];

let tested: TestApi;
let clients: ReadonlyMap<string, ProtocolClient>;

beforeAll(async () => {
  tested = await startApi();
  clients = new Map(openClients(tested.address).map((client) => [client.name, client]));
});

afterAll(async () => {
  for (const client of clients.values()) client.close();
  await tested.api.close(100);
});

/** What a caller sees when the engine throws. */
async function seen(protocol: string, error: unknown): Promise<Exclude<Answer, { ok: true }>> {
  tested.engine.failWith(error);
  const answer = await clients.get(protocol)?.ask(RunService.method.getRun, { runId: "r" });
  if (answer === undefined || answer.ok) throw new Error("an error was expected");
  return answer;
}

const BUGS: readonly string[] = ["INTERNAL", "DATA_LOSS"];

describe.each(PROTOCOLS)("%s", (protocol) => {
  test.each(Object.keys(ERRORS) as ErrorCode[])(
    "%s arrives with its code, one ErrorInfo and what belongs to it",
    async (code) => {
      const details = { runId: "r", problem: "why", errorId: "id", taskId: "t", flowId: "f", templateId: "x" };
      const { grpc, http, retry } = ERRORS[code];
      const answer = await seen(protocol, new OrchestratorError(code, details, {}));
      expect(answer.code).toBe(GRPC_CODE[grpc]);
      expect(answer.types.filter((type) => type === "ErrorInfo")).toHaveLength(1);
      expect(new Set(answer.types).size).toBe(answer.types.length);
      expect(answer).toMatchObject({ reason: code, domain: ERROR_DOMAIN });
      expect(answer.metadata).toMatchObject({ problem: "why" });
      // GetRun only reads: whatever may be sent again at all is safe.
      expect(answer.metadata.repeat).toBe(retry === "no" ? undefined : "SAME_REQUEST");
      expect(answer.types.includes("RetryInfo")).toBe(
        retry !== "no" && (grpc === "UNAVAILABLE" || grpc === "RESOURCE_EXHAUSTED"),
      );
      if (protocol === "rest") expect(answer.http).toBe(http);
    },
  );

  test("a call whose outcome is not known may be sent again with its request id, or not at all", async () => {
    const signal = async (requestId: string) => {
      tested.engine.failWith(new OrchestratorError("STORE_UNAVAILABLE", { problem: "away" }, {}));
      const request = { runId: "r", signalName: "s", requestId };
      const answer = await clients.get(protocol)?.ask(RunService.method.signalRun, request);
      if (answer === undefined || answer.ok) throw new Error("an error was expected");
      return { repeat: answer.metadata.repeat, retry: answer.types.includes("RetryInfo") };
    };
    expect(await signal("id-1")).toEqual({ repeat: "SAME_REQUEST_ID", retry: true });
    // Cause: RetryInfo came with every UNAVAILABLE, and a signal without an id was sent, and consumed, twice.
    expect(await signal("")).toEqual({ repeat: undefined, retry: false });
  });

  test("a bug becomes INTERNAL with an id that is in the log, and nothing of it leaks", async () => {
    const secret = new Error("SELECT * FROM secrets WHERE host = 'db.internal'");
    const answer = await seen(protocol, secret);
    expect(answer).toMatchObject({ code: 13, reason: "INTERNAL" });
    expect(JSON.stringify(answer)).not.toContain("SELECT");
    expect(JSON.stringify(answer)).not.toContain("db.internal");
    const line = tested.errors.at(-1);
    expect(line?.fields).toMatchObject({ errorId: answer.metadata.errorId, error: secret });
  });

  test("field violations arrive, with their places", async () => {
    const violations = [{ field: "workflow.tasks[2]", description: "is bad", line: 3, column: 5 }];
    const answer = await seen(protocol, toError("FLOW_INVALID", { count: 1, first: "bad" }, { violations }));
    expect(answer.types).toContain("BadRequest");
  });

  test("a thousand violations still arrive", async () => {
    const violations = Array.from({ length: 1_000 }, (_, index) => ({
      field: `tasks[${index}]`,
      description: "is wrong ".repeat(10),
    }));
    const answer = await seen(protocol, toError("FLOW_INVALID", { count: 1_000, first: "bad" }, { violations }));
    expect(answer).toMatchObject({ reason: "FLOW_INVALID", metadata: { count: "1000" } });
  });

  test("a sentence with line breaks, half characters and great length does not break the protocol", async () => {
    const problem = `a\r\nb\ud800\u0000 "%0d" é ${"x".repeat(20_000)}`;
    const answer = await seen(protocol, toError("INVALID_REQUEST", { problem }));
    expect(answer).toMatchObject({ code: 3, reason: "INVALID_REQUEST" });
    expect(answer.message.startsWith("a b")).toBe(true);
    expect(answer.message.length).toBeLessThanOrEqual(1_024);
  });

  test("an error that looks internal without an id gets one", async () => {
    const answer = await seen(protocol, toError("STORE_REJECTED", { problem: "constraint runs_pkey" }));
    expect(BUGS.includes(ERRORS.STORE_REJECTED.grpc)).toBe(true);
    expect(answer).toMatchObject({ reason: "INTERNAL" });
    expect(answer.metadata.errorId).toMatch(/^[0-9a-f-]{36}$/);
    expect(answer.message).not.toContain("runs_pkey");
  });
});
