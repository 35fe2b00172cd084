import fc from "fast-check";
import { expect, test } from "vitest";
import { createTokens } from "../../../../src/api/lists/tokens.ts";

const tokens = createTokens(new Uint8Array(32).fill(1));

test("a page token comes back as the place it was made of", () => {
  const place = fc.array(fc.oneof(fc.string(), fc.integer()), { maxLength: 4 });
  const property = fc.property(fc.string(), fc.array(fc.string()), place, (tenant, query, where) => {
    expect(tokens.fromPageToken(tenant, query, tokens.toPageToken(tenant, query, where))).toEqual(where);
  });
  fc.assert(property);
});

test("the empty token is the beginning", () => {
  expect(tokens.fromPageToken("t", ["q"], "")).toBeNull();
});

test("a token of another tenant, query or key, or one that was changed, is refused", () => {
  const token = tokens.toPageToken("t", ["List", "a"], [1, "x"]);
  const refused = (use: () => unknown): void => expect(use).toThrow("page_token was not issued");
  refused(() => tokens.fromPageToken("u", ["List", "a"], token));
  refused(() => tokens.fromPageToken("t", ["List", "b"], token));
  refused(() => tokens.fromPageToken("t", ["Lista", ""], token));
  refused(() => createTokens(new Uint8Array(32).fill(2)).fromPageToken("t", ["List", "a"], token));
  for (let at = 0; at < token.length; at += 1) {
    const changed = `${token.slice(0, at)}${token[at] === "A" ? "B" : "A"}${token.slice(at + 1)}`;
    refused(() => tokens.fromPageToken("t", ["List", "a"], changed));
  }
  refused(() => tokens.fromPageToken("t", ["List", "a"], `${token}=`));
  refused(() => tokens.fromPageToken("t", ["List", "a"], "x"));
});

test("a cursor belongs to one run of one tenant", () => {
  const cursors = tokens.cursorsOf("t", "run");
  expect(cursors.fromCursor(cursors.toCursor(12_345))).toEqual({ sequence: 12_345, ended: false });
  expect(cursors.fromCursor(cursors.toCursor(7, true))).toEqual({ sequence: 7, ended: true });
  const refused = (use: () => unknown): void => expect(use).toThrow("the cursor was not issued for this watch");
  refused(() => tokens.cursorsOf("t", "run2").fromCursor(cursors.toCursor(1)));
  refused(() => tokens.cursorsOf("t2", "run").fromCursor(cursors.toCursor(1)));
  for (const bad of ["", "s1", "s1.", "x1.abc", `s-1.${cursors.toCursor(1).split(".")[1]}`, "17"])
    refused(() => cursors.fromCursor(bad));
});

// Cause: a place was read from any text that stands for it, and one cursor had many forms.
test("a cursor has one form", () => {
  const ofRun = tokens.cursorsOf("t", "run");
  const ofRuns = tokens.runsCursorsOf("t", "");
  expect(ofRuns.fromCursor(ofRuns.toCursor(1_700_000_000_000))).toBe(1_700_000_000_000);
  for (const cursors of [ofRun, ofRuns]) {
    const padded = cursors.toCursor(1).replace(/^(.)1/, "$101");
    expect(padded).toMatch(/^.01\./);
    expect(() => cursors.fromCursor(padded)).toThrow("the cursor was not issued for this watch");
  }
});

test("a key that is too short is refused", () => {
  expect(() => createTokens(new Uint8Array(31))).toThrow("32 bytes");
});
