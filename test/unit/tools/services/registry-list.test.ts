import { expect, test } from "vitest";
import { readListed } from "../../../../src/tools/services/registry-list.ts";

const placesOf = (value: unknown) =>
  readListed(value)?.services.map(({ name, baseUrl }) => [name, `${baseUrl.origin}${baseUrl.pathname}`]);

test.each([
  ["a list", [{ name: "billing", endpoint: "http://a:1/api/" }]],
  ["a list as droplets", { droplets: [{ name: "billing", url: "http://a:1/api" }], total: 1 }],
  ["droplets by name", { droplets: { billing: { endpoint: "http://a:1/api", status: "up" } } }],
  ["an endpoint beside a url", [{ name: "billing", endpoint: "http://a:1/api", url: "http://b:1" }]],
  ["a url beside an empty endpoint", [{ name: "billing", endpoint: "", url: "http://a:1/api" }]],
])("%s is read", (_, value) => {
  expect(placesOf(value)).toEqual([["billing", "http://a:1/api"]]);
});

test.each([null, "list", 7, {}, { droplets: "billing" }, { services: [] }])("%j is no list", (value) => {
  expect(readListed(value)).toBeNull();
});

test("entries that cannot be used are counted, and the others are read", () => {
  const good = { name: "good", endpoint: "https://good.example" };
  const bad = [
    null,
    "billing",
    {},
    { name: "nowhere" },
    { name: "", url: "http://a" },
    { name: "a/b", url: "http://a" },
    { name: 7, url: "http://a" },
    { name: "text", url: "billing:8080" },
    { name: "file", url: "file:///etc/passwd" },
    { name: "user", url: "http://user:password@a" },
    { name: "query", url: "http://a/?token=1" },
    { name: "blank", url: "http://a/b c" },
    { name: "good", url: "http://second.example" },
  ];
  const listed = readListed([good, ...bad]);
  expect(listed?.skipped).toBe(bad.length);
  expect(listed?.services).toMatchObject([{ name: "good", source: "registry", baseUrl: { host: "good.example" } }]);
});
