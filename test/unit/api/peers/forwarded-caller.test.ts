import { expect, test } from "vitest";
import type { Identity } from "../../../../src/api/calls/identity.ts";
import type { ServedMethod } from "../../../../src/api/calls/methods.ts";
import { createForwardedCallers, FORWARDED_KEY } from "../../../../src/api/peers/forwarded-caller.ts";

const KEY = new Uint8Array(32).fill(7);
const CALLER = { tenantId: "acme", actor: "Zoë\n" };
const PATH = "/orchestrator.v1.RunService/PauseRun";
const MINUTE_MS = 60_000;

const nobody = (): Identity => ({ caller: { tenantId: "default", actor: "" }, scopes: new Set(), forwarded: false });

function identify(headers: Readonly<Record<string, string>>, path = PATH, key: Uint8Array = KEY, now = Date.now()) {
  const callers = createForwardedCallers(key, { now: () => now });
  return callers.identify(nobody)({ get: (name) => headers[name] }, { path } as ServedMethod);
}

test("another instance knows the caller whom the first one has identified", () => {
  const headers = createForwardedCallers(KEY, Date).sign(CALLER, PATH);
  expect(identify(headers)).toEqual({ caller: CALLER, scopes: null, forwarded: true });
  expect(Object.values(headers).join("")).toMatch(/^[\w.-]+$/);
});

test("a call without a proof is identified as any other", () => {
  expect(identify({})).toEqual(nobody());
});

test("a proof that an instance did not make, or made for something else, is refused", () => {
  const { [FORWARDED_KEY]: proof = "" } = createForwardedCallers(KEY, Date).sign(CALLER, PATH);
  const [claims = "", mac = ""] = proof.split(".");
  const forged = Buffer.from(JSON.stringify(["default", "root", Date.now()])).toString("base64url");
  const refused = { code: "CALLER_UNVERIFIED", grpc: "UNAUTHENTICATED" };
  const fail = (headers: string, ...rest: [path?: string, key?: Uint8Array, now?: number]) =>
    expect(() => identify({ [FORWARDED_KEY]: headers }, ...rest), headers).toThrow(expect.objectContaining(refused));
  for (const bad of ["", "1", ".", proof.slice(1), proof.slice(0, -1), `${forged}.${mac}`, `${claims}.`, `${proof}.x`])
    fail(bad);
  fail(proof, "/orchestrator.v1.RunService/TerminateRun");
  fail(proof, PATH, new Uint8Array(32).fill(8));
  for (const now of [Date.now() + 2 * MINUTE_MS, Date.now() - 2 * MINUTE_MS]) fail(proof, PATH, KEY, now);
  for (const now of [Date.now() + MINUTE_MS / 2, Date.now() - MINUTE_MS / 2])
    expect(identify({ [FORWARDED_KEY]: proof }, PATH, KEY, now)).toMatchObject({ caller: CALLER });
});
