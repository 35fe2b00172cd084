import { cors } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { createCors, PROTOCOL_ANSWER_HEADERS, PROTOCOL_HEADERS } from "../../../../src/api/http/cors.ts";

test("headers and methods are those that the library of the protocols names, and those of REST", () => {
  expect(PROTOCOL_HEADERS).toEqual(cors.allowedHeaders);
  expect(PROTOCOL_ANSWER_HEADERS).toEqual(cors.exposedHeaders);
  expect(createCors(["https://a.example"]).preflightHeaders("https://a.example")["access-control-allow-methods"]).toBe(
    // REST deletes by DELETE.
    [...cors.allowedMethods, "DELETE"].join(", "),
  );
});

// A page whose name was made to point at this machine after it was loaded has the origin of the service: it could start
// runs.
test.each([
  ["http://127.0.0.1:8002", "127.0.0.1:8002", true],
  ["http://[::1]:8002", "[::1]:8002", true],
  ["http://localhost:8002", "LOCALHOST:8002", true],
  ["http://api.localhost:8002", "api.localhost:8002", true],
  ["http://192.168.1.4", "192.168.1.4", true],
  ["http://localhost:8003", "localhost:8002", false],
  ["http://evil.example:8002", "evil.example:8002", false],
  ["http://127.0.0.1.evil.example", "127.0.0.1.evil.example", false],
  ["http://localhost.evil.example", "localhost.evil.example", false],
  ["https://named.example", "named.example", true],
  ["https://named.example", "evil.example", true],
  ["null", "null", false],
  [undefined, "evil.example", true],
])("a page of %s may write to the host %s: %s", (origin, host, expected) => {
  expect(createCors(["https://named.example"]).mayWrite(origin, host)).toBe(expected);
});
