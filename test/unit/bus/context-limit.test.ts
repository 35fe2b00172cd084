/** The execution context has one limit, whichever way a start comes. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { MAX_CONTEXT_BYTES } from "../../../src/base/json/json-limits.ts";
import { readFlowRun } from "../../../src/bus/kafka/messages/flow-run.ts";
import { readWhatCanBeRead, readWorkflowRequest } from "../../../src/bus/redis/requests/read-request.ts";
import type { InboundMessage } from "../../../src/engine/ports/bus/inbound.ts";

const LIMIT = 4_000_000;
const REFUSED = /the execution context \(notes\) has 65537 bytes as JSON; the limit is 65536/;
/** Text that makes a context of so many bytes with the key `notes`; each letter has two bytes. */
const notesOf = (bytes: number): string => {
  const room = bytes - '{"notes":""}'.length;
  return "é".repeat(Math.floor(room / 2)) + "x".repeat(room % 2);
};

test("the contract has the same", () => {
  const proto = readFileSync(new URL("../../../contracts/orchestrator/v1/run_service.proto", import.meta.url), "utf8");
  const [, limit] = /execution_context_json = \d+ \[[^\]]*max_len = (\d+)/.exec(proto.replaceAll(/\n/g, " ")) ?? [];
  expect(Number(limit)).toBe(MAX_CONTEXT_BYTES);
});

test("requests over Redis", () => {
  const read = (notes: string) => Buffer.from(JSON.stringify({ correlation_id: "c", workflow_template: "t", notes }));
  expect(readWorkflowRequest(read(notesOf(MAX_CONTEXT_BYTES)), LIMIT).context).not.toBeNull();
  const large = read(notesOf(MAX_CONTEXT_BYTES + 1));
  expect(() => readWorkflowRequest(large, LIMIT)).toThrow(REFUSED);
  expect(readWhatCanBeRead(large, LIMIT)).toMatchObject({ correlationId: "c", template: "t", context: null });
});

test.each([
  ["under its name", (notes: string) => ({ execution_context: { notes } })],
  ["beside it", (notes: string) => ({ notes })],
])("runs over Kafka, %s", (_where, keys) => {
  const read = (notes: string) => {
    const value = Buffer.from(JSON.stringify({ run_id: "r", flow_id: "f", ...keys(notes) }));
    return readFlowRun({ value, headers: [] } as unknown as InboundMessage, LIMIT);
  };
  expect(read(notesOf(MAX_CONTEXT_BYTES)).context).not.toBeNull();
  expect(() => read(notesOf(MAX_CONTEXT_BYTES + 1))).toThrow(REFUSED);
});
