import { expect, test } from "vitest";
import { findUrlProblem, parseSentinelUrl } from "../../../../src/base/net/redis-url.ts";

test("addresses of servers and of Sentinels are read as users write them", () => {
  for (const url of [
    "redis://localhost",
    "rediss://:p@h:1/2",
    "redis+sentinel://a/main",
    "rediss+sentinel://u:p@[::1]:1,b/m/3",
  ])
    expect(findUrlProblem(url), url).toBe("");
  expect(parseSentinelUrl("redis+sentinel://ann:a%3Ab:c@a:1,[::1]:2,c/my%20main/3?sentinel_password=x%26")).toEqual({
    sentinels: [
      { host: "a", port: 1 },
      { host: "::1", port: 2 },
      { host: "c", port: 26_379 },
    ],
    ...{ service: "my main", database: 3, username: "ann", password: "a:b:c", sentinelPassword: "x&", tls: false },
  });
  expect(parseSentinelUrl("rediss+sentinel://:p@a/m")).toMatchObject({ username: "", password: "p", tls: true });
});

test("what is no address says what is expected, and a cluster is refused by name", () => {
  for (const url of [
    ...["http://a", "redis://a:b:c", "redis+sentinel://a", "redis+sentinel://a:0/m", "redis+sentinel://a:70000/m"],
    ...["redis+sentinel://a,/m", "redis+sentinel://a/m/x", "redis+sentinel://a/m?other=1", "redis+sentinel://%zz@a/m"],
  ])
    expect(findUrlProblem(url), url).toMatch(/^expected a URL/);
  expect(findUrlProblem("redis+cluster://a:1,b:2")).toMatch(/^Redis Cluster is not supported/);
});
