import { expect, test } from "vitest";
import { parseDatabaseUrl } from "../../../../src/store/sql/database-url.ts";

test.each([
  [
    "postgresql://postgres:postgres@localhost:5432/agent_framework",
    "postgresql://postgres:postgres@localhost:5432/agent_framework",
  ],
  ["postgres://u:p%40ss@db/x", "postgresql://u:p%40ss@db/x"],
  ["postgresql+asyncpg://user:password@db:5432/octollm", "postgresql://user:password@db:5432/octollm"],
  ["postgresql+asyncpg://user@db/x?ssl=require", "postgresql://user@db/x?sslmode=require&uselibpqcompat=true"],
  ["postgresql://db/x?sslmode=verify-full", "postgresql://db/x?sslmode=verify-full&uselibpqcompat=true"],
  ["postgresql:///x?host=/var/run/postgresql", "postgresql:///x?host=/var/run/postgresql"],
])("%s is understood", (given, expected) => {
  expect(parseDatabaseUrl(given)).toBe(expected);
});

test.each([
  ["mysql://u:secret@db/x", /must begin with postgresql/],
  ["localhost:5432/x", /must begin with postgresql/],
  ["postgresql://u:secret@db", /no database/],
  ["postgresql:///x", /no host/],
  ["postgresql://u:sec/ret@db:port/x", /percent-encode/],
])("%s is refused with the reason and without the password", (given, reason) => {
  expect(() => parseDatabaseUrl(given)).toThrow(reason);
  expect(() => parseDatabaseUrl(given)).toThrow(
    expect.objectContaining({ code: "CONFIG_INVALID", message: expect.not.stringMatching(/sec/) }),
  );
});
