import { expect, test } from "vitest";
import { childRunId } from "../../../../src/base/ids.ts";
import { TaskTokens } from "../../../../src/engine/dispatch/tokens.ts";

const OLD = { id: 1, secret: new Uint8Array(32).fill(1) };
const NEW = { id: 2, secret: new Uint8Array(32).fill(2) };
const REF = { runId: "01kb3x5t9m0a1b2c3d4e5f6g7h", fence: 4_000_000_000 };

test("a token opens to what was sealed, and says nothing in the clear", () => {
  const tokens = new TaskTokens(OLD);
  const token = tokens.seal("t", REF);
  expect(tokens.open("t", token)).toEqual(REF);
  expect(token).toMatch(/^[\w-]{1,128}$/);
  expect(Buffer.from(token, "base64url").toString("latin1")).not.toContain(REF.runId);
});

test("the same hand-over has one token, and every other one has another", () => {
  const tokens = new TaskTokens(OLD);
  const sealed = [REF, { ...REF, fence: 1 }, { ...REF, runId: `${REF.runId}~x` }].map((ref) => tokens.seal("t", ref));
  expect(tokens.seal("t", REF)).toBe(sealed[0]);
  expect(new Set(sealed).size).toBe(sealed.length);
});

test("a token of another tenant, of another key, or with any bit changed opens to nothing", () => {
  const tokens = new TaskTokens(OLD);
  const token = tokens.seal("tenant", REF);
  expect(tokens.open("tenan", token)).toBeNull();
  expect(tokens.open("", token)).toBeNull();
  expect(new TaskTokens({ ...OLD, secret: NEW.secret }).open("tenant", token)).toBeNull();
  const bytes = Buffer.from(token, "base64url");
  for (let bit = 0; bit < bytes.length * 8; bit += 1) {
    const changed = Buffer.from(bytes);
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    expect(tokens.open("tenant", changed.toString("base64url")), `bit ${bit}`).toBeNull();
  }
  for (const broken of ["", "x", token.slice(1), `${token}A`, `${token}=`, token.replace(/.$/, "+")])
    expect(tokens.open("tenant", broken), broken).toBeNull();
});

test("tokens of an older key open while it is kept", () => {
  const token = new TaskTokens(OLD).seal("t", REF);
  const rotated = new TaskTokens(NEW, OLD);
  expect(rotated.open("t", token)).toEqual(REF);
  expect(rotated.open("t", rotated.seal("t", REF))).toEqual(REF);
  expect(new TaskTokens(NEW).open("t", token)).toBeNull();
});

const CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
const chosen = (length: number, from: number) =>
  Array.from({ length }, (_, index) => CHARACTERS[(from + 7 * index) % CHARACTERS.length]).join("");

test("tokens have at most 128 characters, and those of a child of a very long id at most 144", () => {
  const tokens = new TaskTokens(OLD);
  for (let length = 1; length <= 100; length += 1)
    for (const runId of ["-".repeat(length), "0".repeat(length), "_".repeat(length), chosen(length, length)]) {
      const ids = [runId, childRunId(runId, "a.0", 1), childRunId(childRunId(runId, "b", 2), "c", 1)];
      for (const id of ids) {
        const token = tokens.seal("t", { runId: id, fence: 4_000_000_000 });
        expect(tokens.open("t", token)).toEqual({ runId: id, fence: 4_000_000_000 });
        expect(token.length, id).toBeLessThanOrEqual(id === runId || length <= 90 ? 128 : 144);
      }
    }
  // As earlier releases wrote it.
  const old = `${"x".repeat(90)}:a.0:b`;
  expect(tokens.open("t", tokens.seal("t", { runId: old, fence: 1 }))?.runId).toBe(old);
});

test("a packed token of another tenant, or with any bit changed, opens to nothing", () => {
  const tokens = new TaskTokens(OLD);
  for (const runId of [chosen(90, 3), childRunId(chosen(90, 3), "a", 1)]) {
    const token = tokens.seal("tenant", { runId, fence: 7 });
    expect(tokens.open("tenan", token)).toBeNull();
    const bytes = Buffer.from(token, "base64url");
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const changed = Buffer.from(bytes);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(tokens.open("tenant", changed.toString("base64url")), `bit ${bit}`).toBeNull();
    }
  }
});
