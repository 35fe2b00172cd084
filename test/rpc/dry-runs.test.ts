/** Dry runs over every protocol: of definitions and of registered flows, with what models cost. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FlowService } from "../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { openClients, type ProtocolClient } from "./support/clients.ts";
import { startApi, type TestApi } from "./support/start-api.ts";

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

const { dryRunFlow, registerFlow } = FlowService.method;

const TRIAGE = {
  id: "triage",
  version: "1",
  variables: [{ name: "message", type: "string", required: true }],
  workflow: {
    tasks: [
      { id: "sort", type: "ai", parameters: { prompt: "Sort: ${vars.message}", max_tokens: 100 } },
      {
        ...{ id: "urgent", type: "condition", depends_on: ["sort"], on_success: ["answer"], on_failure: [] },
        condition: "${sort.output.content == 'urgent'}",
      },
      { id: "answer", type: "ai", parameters: { model: "huge", prompt: "${sort.output.content}", max_tokens: 1000 } },
    ],
  },
};

const input = { case: "input" as const, value: { message: "x".repeat(300) } };

describe.each(PROTOCOLS)("%s", (protocol) => {
  const client = () => clients.get(protocol) as ProtocolClient;

  test("a definition is played: its ways, what it reaches, and what its models reserve", async () => {
    const definition = { case: "document" as const, value: TRIAGE };
    const answer = await client().ask(dryRunFlow, { definition, inputValue: input });
    // 3 bytes a token, and 24 around: (306 / 3 + 24) * 1 + 100 * 2 millionths.
    expect(answer.ok ? answer.json : answer).toMatchObject({
      ...{ flowId: "triage", version: "1" },
      ways: [
        {
          end: "DRY_RUN_END_COMPLETED",
          choices: [{ about: "condition urgent", taken: "true" }],
          ...{ callCount: 2, costMicros: "326", reservedTokens: "1250" },
          calls: [{ taskPath: "sort", type: "ai", attempt: 1 }, { taskPath: "answer" }],
        },
        { choices: [{ about: "condition urgent", taken: "false" }], costMicros: "326", reservedTokens: "226" },
      ],
      tasks: [
        { taskId: "sort", type: "ai", wayCount: 2, maxCallCount: 1 },
        { taskId: "answer", wayCount: 1 },
      ],
      targets: [
        { kind: "DRY_RUN_TARGET_KIND_MODEL", name: "local/small" },
        { kind: "DRY_RUN_TARGET_KIND_MODEL", name: "local/huge" },
      ],
      estimate: {
        ...{ minCostMicros: "326", maxCostMicros: "326", minTokens: "226", maxTokens: "1250" },
        ...{ unpricedModels: ["local/huge"], unsizedTaskIds: ["answer"] },
      },
    });
  });

  test("of a registered flow, the results decide; a result of another task is refused", async () => {
    const document = { ...TRIAGE, id: "registered" };
    await client().ask(registerFlow, { definition: { case: "document", value: document } });
    const definition = { case: "flowId" as const, value: "registered" };
    const sort = { outcome: { case: "outputJson" as const, value: Buffer.from('{"content": "calm"}') } };
    const known = await client().ask(dryRunFlow, { definition, inputValue: input, results: { sort } });
    expect(known.ok ? known.json : known).toMatchObject({
      ways: [{ callCount: 1 }],
      targets: [{ name: "local/small" }],
    });

    const stray = await client().ask(dryRunFlow, { definition, inputValue: input, results: { stray: sort } });
    expect(stray).toMatchObject({
      reason: "INVALID_REQUEST",
      message: expect.stringContaining("results.stray: the flow has no such task"),
    });
    const error = { outcome: { case: "error" as const, value: { type: "DOWN", message: "" } } };
    const down = await client().ask(dryRunFlow, { definition, inputValue: input, results: { sort: error } });
    expect(down.ok ? down.json : down).toMatchObject({ ways: [{ errorType: "DOWN", errorTaskId: "sort" }] });
  });

  test("what cannot be played is refused with its reason", async () => {
    const cases = [
      [{ definition: { case: "flowId", value: "nowhere" } }, "FLOW_NOT_FOUND"],
      [{ definition: { case: "document", value: { id: "x", version: "1" } } }, "FLOW_INVALID"],
      [{ definition: { case: "document", value: TRIAGE } }, "FLOW_INPUT_INVALID"],
      [{ definition: { case: "document", value: TRIAGE }, version: "1" }, "INVALID_REQUEST"],
      [{}, "INVALID_REQUEST"],
    ] as const;
    for (const [request, code] of cases)
      expect(await client().ask(dryRunFlow, request)).toMatchObject({ reason: code });
  });

  test("the deadline ends it, and the next one is played", async () => {
    const loop = {
      id: "loop",
      version: "1",
      variables: [{ name: "stop", type: "boolean", default: false }],
      workflow: {
        ...{ initial: "again", max_transitions: 100_000 },
        states: [
          {
            id: "again",
            task: { type: "transform", parameters: { output: "${lists.range(150).map(x, lists.range(150).size())}" } },
            transitions: [{ when: "${stop}", to: "end" }, { to: "again" }],
          },
          { id: "end", final: "completed" },
        ],
      },
    };
    const definition = { case: "document" as const, value: loop };
    const late = await client().ask(dryRunFlow, { definition }, { timeoutMs: 20 });
    expect(late).toMatchObject({ ok: false, code: 4 });
    const next = { case: "document" as const, value: TRIAGE };
    expect(await client().ask(dryRunFlow, { definition: next, inputValue: input })).toMatchObject({ ok: true });
  });
});
