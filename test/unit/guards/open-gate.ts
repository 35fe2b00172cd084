/** Gates for tests, and calls before them. */
import { expect } from "vitest";
import type { Json } from "../../../src/base/json/json.ts";
import type { ToolCall } from "../../../src/engine/ports/tools.ts";
import { type CallGate, type CallGateParts, type CallVerdict, createCallGate } from "../../../src/guards/call-gate.ts";
import { GATE_POLICY } from "../../../src/guards/policy/policy.ts";
import { targetOfInput } from "../../../src/guards/task-gate.ts";
import { aCall } from "../tools/a-call.ts";

/** What gates of tests are made with. */
export const GATE_PARTS: CallGateParts = { reflex: null, key: Buffer.alloc(32, 1) };

/** The gate of a policy, which speaks of calls. */
export function openGate(document: object, more: Partial<CallGateParts> = {}): CallGate {
  const policy = GATE_POLICY.parse({ version: 1, ...document });
  return createCallGate(policy, { ...GATE_PARTS, ...more }) ?? expect.unreachable("the policy speaks of no calls");
}

/** What a gate says of a call, `http` unless `more` says otherwise. */
export function judgeBy(
  by: CallGate,
  input: Json,
  more: Partial<ToolCall> = {},
  destination: Json = null,
  tellLater: (verdict: CallVerdict) => void = () => expect.unreachable("nothing is told later"),
) {
  const call = aCall("http", input, more);
  const reach = { ...targetOfInput(call), destination: () => destination };
  return by.judge(call, reach, new AbortController().signal, tellLater);
}
