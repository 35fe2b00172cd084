/** What instances say to each other: served for them alone. */
import { create, toBinary } from "@bufbuild/protobuf";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createForwardedCallers } from "../../src/api/peers/forwarded-caller.ts";
import { ExchangeRequestSchema, TellLimitsRequestSchema } from "../../src/gen/orchestrator/peer/v1/peer_service_pb.ts";
import { startApi, type TestApi, TOKEN_KEY } from "./support/start-api.ts";

const EXCHANGE = "/orchestrator.peer.v1.PeerService/Exchange";
const TELL_LIMITS = "/orchestrator.peer.v1.PeerService/TellLimits";
const TAKE_REPORTS = "/orchestrator.peer.v1.PeerService/TakeReports";

let tested: TestApi;

beforeEach(async () => {
  tested = await startApi({ reflection: true });
});

afterEach(() => tested.api.close(50));

/** Calls as instance `from`. Returns OK or the gRPC code. */
function call(path: string, headers: Readonly<Record<string, string>>, from = "a"): Promise<number | "OK"> {
  const same = (bytes: Buffer): Buffer => bytes;
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  const client = new Client(tested.address, credentials.createInsecure());
  const request =
    path === EXCHANGE
      ? toBinary(ExchangeRequestSchema, create(ExchangeRequestSchema, { conversation: { from, epoch: 1n, seen: 0n } }))
      : path === TELL_LIMITS
        ? toBinary(TellLimitsRequestSchema, create(TellLimitsRequestSchema, { from }))
        : new Uint8Array();
  return new Promise((resolve) => {
    client.makeUnaryRequest(path, same, same, Buffer.from(request), metadata, (error) => {
      client.close();
      resolve(error === null ? "OK" : error.code);
    });
  });
}

test("only an instance is answered, and only for itself", async () => {
  const callers = createForwardedCallers(TOKEN_KEY, Date);
  const foreign = createForwardedCallers(new Uint8Array(32).fill(1), Date);
  const self = { tenantId: "", actor: "a" };
  expect(await call(EXCHANGE, {})).toBe(16);
  expect(await call(EXCHANGE, { "x-orchestrator-actor": "a" })).toBe(16);
  expect(await call(EXCHANGE, foreign.sign(self, EXCHANGE))).toBe(16);
  expect(await call(EXCHANGE, callers.sign(self, EXCHANGE), "b")).toBe(16);
  // A forwarded call of a user is no call of an instance.
  expect(await call(EXCHANGE, callers.sign({ tenantId: "default", actor: "a" }, EXCHANGE))).toBe(16);
  expect(await call(EXCHANGE, callers.sign(self, EXCHANGE))).toBe("OK");
  expect(await call(TELL_LIMITS, {})).toBe(16);
  expect(await call(TELL_LIMITS, callers.sign(self, TELL_LIMITS), "b")).toBe(16);
  expect(await call(TELL_LIMITS, callers.sign({ tenantId: "default", actor: "a" }, TELL_LIMITS))).toBe(16);
  expect(await call(TELL_LIMITS, callers.sign(self, TELL_LIMITS))).toBe("OK");
  expect(await call(TAKE_REPORTS, {})).toBe(16);
  expect(await call(TAKE_REPORTS, callers.sign({ tenantId: "default", actor: "ann" }, TAKE_REPORTS))).toBe("OK");
});

test("no list shows it, and no protocol but gRPC serves it", async () => {
  const response = await fetch(`${tested.url}${EXCHANGE}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: "{}",
  });
  expect(response.status).toBe(404);
  const health = await fetch(`${tested.url}/grpc.health.v1.Health/Check`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ service: "orchestrator.peer.v1.PeerService" }),
  });
  expect(health.status).toBe(404);
});
