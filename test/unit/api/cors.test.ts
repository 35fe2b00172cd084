import { cors } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { createCors, PROTOCOL_ANSWER_HEADERS, PROTOCOL_HEADERS } from "../../../src/api/cors.ts";

test("the headers are those that the library of the protocols names", () => {
  expect(PROTOCOL_HEADERS).toEqual(cors.allowedHeaders);
  expect(PROTOCOL_ANSWER_HEADERS).toEqual(cors.exposedHeaders);
  expect(createCors(["https://a.example"]).preflightHeaders("https://a.example")["access-control-allow-methods"]).toBe(
    cors.allowedMethods.join(", "),
  );
});
