import { describe, expect, test } from "vitest";
import { toError } from "../../../../src/base/errors.ts";
import { judgeStoreFailure, storeFailureOf, toStoreError } from "../../../../src/store/sql/sqlstate.ts";

/** As `pg` makes them: a message, a SQLSTATE, a severity. */
function serverError(code: string, message = "said the server"): Error {
  return Object.assign(new Error(message), { code, severity: "ERROR" });
}

const network = (code: string) => Object.assign(new Error(`connect ${code} 10.0.0.1:5432`), { code });

describe("a database error", () => {
  test.each([
    ["22P02", "data", false],
    ["23505", "data", false],
    ["57014", "timeout", false],
    ["55P03", "timeout", false],
    ["40001", "conflict", false],
    ["40P01", "conflict", false],
    ["53100", "full", false],
    ["42P01", "refused", false],
    ["57P01", "unavailable", true],
    ["57P02", "unavailable", true],
    ["08006", "unavailable", true],
    ["58030", "unavailable", true],
    ["40003", "unavailable", true],
    ["25P03", "timeout", true],
  ] as const)("%s under a statement is judged %s, outcome unknown %s", (code, kind, outcomeUnknown) => {
    expect(judgeStoreFailure(serverError(code), "statement")).toMatchObject({
      kind,
      outcomeUnknown,
      connectionLost: outcomeUnknown,
    });
  });

  test.each([
    ["connect", false],
    ["inside", false],
    ["statement", true],
    ["commit", true],
  ] as const)("that ends the connection during %s leaves the outcome unknown: %s", (phase, outcomeUnknown) => {
    for (const error of [
      network("ECONNRESET"),
      new Error("Connection terminated unexpectedly"),
      new Error("Query read timeout"),
      serverError("57P01"),
    ]) {
      expect(judgeStoreFailure(error, phase)).toMatchObject({ outcomeUnknown, connectionLost: true });
    }
  });

  test.each([
    [serverError("23505"), "STORE_REJECTED"],
    [serverError("42P01"), "STORE_REJECTED"],
    [serverError("57P03"), "STORE_UNAVAILABLE"],
    [serverError("53300"), "OVERLOADED"],
    [serverError("40001"), "STORE_CONFLICT"],
    [serverError("57014"), "STORE_TIMEOUT"],
    [network("ECONNREFUSED"), "STORE_UNAVAILABLE"],
    [new AggregateError([network("ECONNREFUSED"), network("ECONNREFUSED")]), "STORE_UNAVAILABLE"],
    [new Error("timeout exceeded when trying to connect"), "STORE_TIMEOUT"],
  ])("%s becomes %s, keeps its cause and says nothing of addresses and texts", (error, code) => {
    const converted = toStoreError(error, "statement") as Error;
    expect(converted).toMatchObject({ code, cause: error });
    expect(converted.message).not.toMatch(/10\.0\.0\.1|said the server/);
    expect(storeFailureOf(converted)).toEqual(judgeStoreFailure(error, "statement"));
  });

  test("is never made of a bug or of an error that is ours already", () => {
    const bug = new TypeError("x is not a function");
    expect(toStoreError(bug, "statement")).toBe(bug);
    const ours = toError("RUN_NOT_FOUND", { runId: "r" });
    expect(toStoreError(ours, "statement")).toBe(ours);
    expect(storeFailureOf(ours)).toBeUndefined();
  });
});
