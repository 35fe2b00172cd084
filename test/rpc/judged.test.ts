// What connectconformance found. Cause: the port looked at an encoding only when a message used it, answered unknown
// codecs of gRPC-Web in JSON, and gave unknown methods of Connect the HTTP status of UNIMPLEMENTED.
import { afterAll, beforeAll, expect, test } from "vitest";
import { startApi, type TestApi } from "./support/start-api.ts";

let tested: TestApi;

beforeAll(async () => {
  tested = await startApi();
});

afterAll(() => tested.api.close(50));

const SERVICE = "/orchestrator.v1.RunService";

function post(
  path: string,
  type: string,
  body: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(tested.url + path, { method: "POST", headers: { "content-type": type, ...headers }, body });
}

test("an unknown method of Connect is 404, as the protocol asks", async () => {
  const response = await post("/unknown.v1.Service/Method", "application/json", "{}");
  expect([response.status, await response.text()]).toEqual([404, expect.stringContaining('"unimplemented"')]);
});

test.each([
  ["application/proto", "ListRuns", new Uint8Array()],
  ["application/grpc-web+proto", "ListRuns", new Uint8Array(5)],
  ["application/connect+proto", "WatchRuns", new Uint8Array(5)],
])("an encoding that is named must be known, also by an empty message: %s", async (type, method, body) => {
  const encodings = { "content-encoding": "br", "grpc-encoding": "br", "connect-content-encoding": "br" };
  expect(await (await post(`${SERVICE}/${method}`, type, body, encodings)).text()).toMatch(
    /send(%20| )the(%20| )request(%20| )uncompressed/,
  );
});

test("an unknown codec of gRPC-Web is refused in the form of gRPC-Web", async () => {
  const response = await post(`${SERVICE}/ListRuns`, "application/grpc-web+thrift", "{}");
  expect(response.status).toBe(200);
  expect(await response.text()).toContain("grpc-status: 12\r\n");
});
