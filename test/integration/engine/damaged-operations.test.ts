/**
 * Operations whose rows somebody else wrote, or a disk lost. A damaged journal is QUARANTINED and can be canceled; a
 * damaged header is shown and says so. Neither costs another operation, a list, or a takeover anything.
 *
 * Cause: a gap in a journal was a bug of the call that found it, records were folded whatever they held, and the list
 * parsed the JSON of each row without a check.
 */
import { expect, test } from "vitest";
import type { OperationRequest } from "../../../src/engine/ports/operations.ts";
import { OperationService } from "../../../src/gen/orchestrator/v1/operation_service_pb.ts";
import { startOf } from "../../support/start-of.ts";
import { createCaller } from "./api-caller.ts";
import { CALLER, createBed, type Instance } from "./bed.ts";

const bed = createBed();
const NEVER = new AbortController().signal;
const { method } = OperationService;

/** Two runs and two operations that terminate one each, of an instance that dies before it reaches them. */
async function startTwo() {
  const first = await bed.openInstance({ wrapActions: () => ({ apply: () => new Promise(() => {}) }) });
  await bed.register("gate", [{ id: "go", type: "signal", parameters: { name: "go" } }]);
  const terminate = async (requestId: string) => {
    const [started] = await first.engine.startRuns(CALLER, [startOf("gate")], 0);
    if (started === undefined || started instanceof Error) throw started;
    const { runId } = started.run.state;
    const request: OperationRequest = {
      action: { type: "terminate", reason: "" },
      target: {
        type: "filter",
        text: `run_id == "${runId}"`,
        filter: { op: "==", field: { name: "run_id" }, value: runId },
      },
      requestId,
      requestHash: "h",
    };
    const { operationId } = await first.operations.startOperation(CALLER, request);
    return { request, operationId };
  };
  const damaged = await terminate("damaged");
  const sound = await terminate("sound");
  await first.crash();
  return { damaged, sound };
}

/** Every call about the operation, and the list. */
async function askAll(instance: Instance, operationId: string): Promise<Record<string, string>> {
  const ask = createCaller(instance.engine, bed.database, instance.operations);
  const answers: Record<string, string> = {};
  for (const [desc, init] of [
    [method.getOperation, { operationId }],
    [method.listOperations, {}],
    [method.waitOperation, { operationId, wait: { seconds: 5n } }],
    [method.cancelOperation, { operationId }],
    [method.getOperation, { operationId }],
    [method.listOperations, {}],
  ] as const)
    answers[`${desc.name} ${Object.keys(answers).length}`] = (await ask(desc, init)).code;
  return answers;
}

const record = (type: string, fields: string) =>
  `UPDATE orchestrator.journal SET records = (SELECT jsonb_agg(r || '${fields}') FROM jsonb_array_elements(records::jsonb) r WHERE r->>'type' = '${type}')::text WHERE run_id = $1`;

test.each([
  ["a journal that is gone", "DELETE FROM orchestrator.journal WHERE run_id = $1"],
  ["a gap", "UPDATE orchestrator.journal SET sequence = 2 WHERE run_id = $1"],
  ["a count that is wrong", "UPDATE orchestrator.journal SET record_count = 2 WHERE run_id = $1"],
  ["text that is no JSON", "UPDATE orchestrator.journal SET records = '[{' WHERE run_id = $1"],
  ["a record of a newer build", record("operation.started", '{"type":"operation.paused"}')],
  ["a record that is no object", "UPDATE orchestrator.journal SET records = '[7]' WHERE run_id = $1"],
  ["a time that is text", record("operation.started", '{"at":"now"}')],
  ["an action that is not known", record("operation.started", '{"action":{"type":"pause"}}')],
  [
    "a field of its filter that is not known",
    record("operation.started", '{"target":{"type":"filter","text":"","filter":{"op":"has","field":{"name":"x"}}}}'),
  ],
  [
    "an operator of its filter that is not known",
    record(
      "operation.started",
      '{"target":{"type":"filter","text":"","filter":{"op":"; DROP","field":{"name":"state"},"value":"x"}}}',
    ),
  ],
  ["another tenant", record("operation.started", '{"tenantId":"other"}')],
])("%s costs its own operation only: it is QUARANTINED until it is canceled", async (_, damage) => {
  const { damaged, sound } = await startTwo();
  const { operationId } = damaged;
  await bed.sql(damage, [operationId]);
  const quarantined: string[] = [];
  const observer = { committed: () => {}, quarantined: (id: string) => quarantined.push(id), endedUnread: () => {} };
  const instance = await bed.openInstance({ operationObservers: [observer] });
  await instance.runtime.adopted;
  const { operations } = instance;
  await expect(operations.waitOperation(CALLER, sound.operationId, 10_000, NEVER)).resolves.toMatchObject({
    state: "COMPLETED",
    done: 1,
  });
  expect(await operations.getOperation(CALLER, operationId)).toMatchObject({
    state: "QUARANTINED",
    problem: expect.stringContaining("CancelOperation ends it"),
    endedAt: null,
  });
  expect(instance.lines.filter(({ message }) => message.includes("it is put into quarantine"))).toHaveLength(1);
  expect(quarantined).toEqual([operationId]);
  await expect(operations.startOperation(CALLER, damaged.request)).rejects.toMatchObject({
    code: "OPERATION_UNREADABLE",
  });
  expect(await askAll(instance, operationId)).toEqual({
    "GetOperation 0": "OK",
    "ListOperations 1": "OK",
    "WaitOperation 2": "OPERATION_UNREADABLE",
    "CancelOperation 3": "OK",
    "GetOperation 4": "OK",
    "ListOperations 5": "OK",
  });
  const canceled = await operations.getOperation(CALLER, operationId);
  expect(canceled).toMatchObject({ state: "CANCELED", endedAt: expect.any(Number) });
  expect(await operations.cancelOperation(CALLER, operationId)).toEqual(canceled);
});

test("one that can be read again goes on with the next takeover", async () => {
  const { damaged } = await startTwo();
  const { operationId } = damaged;
  await bed.sql("UPDATE orchestrator.journal SET records = replace(records, 'terminate', 'sing') WHERE run_id = $1", [
    operationId,
  ]);
  const second = await bed.openInstance();
  await second.runtime.adopted;
  expect(await second.operations.getOperation(CALLER, operationId)).toMatchObject({ state: "QUARANTINED" });
  await second.crash();
  await bed.sql("UPDATE orchestrator.journal SET records = replace(records, 'sing', 'terminate') WHERE run_id = $1", [
    operationId,
  ]);
  const third = await bed.openInstance();
  const ended = await third.operations.waitOperation(CALLER, operationId, 10_000, NEVER);
  expect(ended).toMatchObject({ state: "COMPLETED", done: 1, problem: "" });
});

test("one that the store cannot look for runs with ends FAILED, and says why", async () => {
  const { damaged } = await startTwo();
  const { operationId } = damaged;
  const filter = '{"op":"<=","field":{"name":"create_time"},"value":1e300}';
  const target = `{"target":{"type":"filter","text":"","filter":${filter}}}`;
  await bed.sql(record("operation.started", target), [operationId]);
  const instance = await bed.openInstance();
  const ended = await instance.operations.waitOperation(CALLER, operationId, 10_000, NEVER);
  expect(ended).toMatchObject({ state: "FAILED", done: 0, problem: expect.stringContaining("database") });
});

test.each([
  ["state", "'SLEEPING'"],
  ["action", "'{'"],
  ["action", '\'{"type":"pause"}\''],
  ["failures", "'[7]'"],
  ["failures", "''"],
  ["created_at", "'-infinity'"],
  ["updated_at", "'infinity'"],
  ["ended_at", "'infinity'"],
])("a header whose %s is %s is shown with its damage", async (column, value) => {
  const { damaged, sound } = await startTwo();
  const { operationId } = damaged;
  const instance = await bed.openInstance();
  for (const one of [damaged, sound]) await instance.operations.waitOperation(CALLER, one.operationId, 10_000, NEVER);
  await bed.sql(`UPDATE orchestrator.operations SET ${column} = ${value} WHERE operation_id = $1`, [operationId]);
  const view = await instance.operations.getOperation(CALLER, operationId);
  expect(view.damage).toContain(column === "created_at" ? "no time" : column);
  const ask = createCaller(instance.engine, bed.database, instance.operations);
  const codes: string[] = [];
  const seen: string[] = [];
  let pageToken = "";
  do {
    const { code, json } = await ask(method.listOperations, { pageSize: 1, pageToken });
    codes.push(code);
    const page = JSON.parse(json) as { operations?: { operationId: string }[]; nextPageToken?: string };
    for (const operation of page.operations ?? []) seen.push(operation.operationId);
    pageToken = page.nextPageToken ?? "";
  } while (pageToken !== "");
  expect(codes).toEqual(["OK", "OK"]);
  expect(new Set(seen)).toEqual(new Set([operationId, sound.operationId]));
  expect((await ask(method.getOperation, { operationId })).code).toBe("OK");
});
