import type { LookupAddress } from "node:dns";
import { createServer, type Server } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { silentLog } from "../../../src/base/log.ts";
import { systemClock } from "../../../src/base/time/clock.ts";
import type { HttpToolPolicy } from "../../../src/tools/http/address-policy.ts";
import { createAdapters } from "../../../src/tools/index.ts";
import { createToolCaller } from "../../../src/tools/path/caller.ts";
import { aCall } from "../../unit/tools/a-call.ts";
import { type FakeTool, startFakeTool } from "./fake-tool.ts";

/** Names that the tests resolve; a list of lists gives one answer after the other, as a rebinding name server does. */
const NAMES: Record<string, readonly string[] | readonly (readonly string[])[]> = {
  "127.0.0.1.nip.example": ["127.0.0.1"],
  "metadata.example": ["169.254.169.254"],
  "private.example": ["10.1.2.3"],
  "six.example": ["::1"],
  "mapped.example": ["::ffff:127.0.0.1"],
  "nat64.example": ["64:ff9b::7f00:1"],
  "unique-local.example": ["fd00::1"],
  "zero.example": ["0.0.0.0"],
  "all-private.example": ["192.168.1.1", "127.0.0.1", "::1"],
  "nothing.example": [],
};

let canary: Server;
let canarySix: Server | undefined;
let hits = 0;
let port = 0;
let tool: FakeTool;

beforeAll(async () => {
  const onHit = () => {
    hits += 1;
  };
  canary = createServer(onHit);
  await new Promise<void>((resolve) => canary.listen(0, "0.0.0.0", resolve));
  port = (canary.address() as { port: number }).port;
  const six = createServer(onHit);
  canarySix = await new Promise<Server | undefined>((resolve) => {
    six.once("error", () => resolve(undefined));
    six.listen(port, "::1", () => resolve(six));
  });
  tool = await startFakeTool();
});
afterAll(async () => {
  canary.close();
  canarySix?.close();
  await tool.close();
});

async function callWith(policy: HttpToolPolicy, url: string, more: { names?: typeof NAMES; timeoutMs?: number } = {}) {
  const asked = new Map<string, number>();
  const adapters = createAdapters({
    http: {
      policy,
      clock: systemClock,
      lookup: (hostname, _options, callback) => {
        const answers = (more.names ?? NAMES)[hostname] ?? ["127.0.0.1"];
        const turn = asked.get(hostname) ?? 0;
        asked.set(hostname, turn + 1);
        const answer = (
          Array.isArray(answers[0]) ? (answers[Math.min(turn, answers.length - 1)] ?? []) : answers
        ) as string[];
        const addresses: LookupAddress[] = answer.map((address) => ({
          address,
          family: address.includes(":") ? 6 : 4,
        }));
        callback(null, addresses);
      },
    },
  });
  const tools = createToolCaller({ adapters, log: silentLog, clock: systemClock });
  const call = () => tools.call(aCall("http", { url }, { timeoutMs: more.timeoutMs ?? 2_000 }), new AbortController());
  return { call, asked, close: () => tools.close() };
}

async function refusalOf(url: string, policy: HttpToolPolicy = { allowPrivate: false, allow: [] }): Promise<string> {
  const { call, close } = await callWith(policy, url);
  const outcome = await call();
  await close();
  if (outcome.ok) return "REACHED";
  expect(outcome.error.retryable, outcome.error.message).toBe(false);
  expect(outcome.error.noEffect).toBe(true);
  return outcome.error.type;
}

const LOOPBACK = [
  "http://127.0.0.1:PORT/",
  "http://127.1:PORT/",
  "http://127.0.1:PORT/",
  "http://2130706433:PORT/",
  "http://0x7f000001:PORT/",
  "http://0x7f.0.0.1:PORT/",
  "http://0x7f.1:PORT/",
  "http://017700000001:PORT/",
  "http://0177.0.0.1:PORT/",
  "http://0177.0.0.01:PORT/",
  "http://127.0.0.1.:PORT/",
  "http://127.255.255.254:PORT/",
  "http://127.0.0.1%2f@127.0.0.1:PORT/",
  "http://0:PORT/",
  "http://0.0.0.0:PORT/",
  "http://00000:PORT/",
  "http://[::1]:PORT/",
  "http://[0:0:0:0:0:0:0:1]:PORT/",
  "http://[::]:PORT/",
  "http://[::ffff:127.0.0.1]:PORT/",
  "http://[::ffff:7f00:1]:PORT/",
  "http://[0:0:0:0:0:ffff:127.0.0.1]:PORT/",
  "http://[::127.0.0.1]:PORT/",
  "http://[64:ff9b::127.0.0.1]:PORT/",
  "http://[64:ff9b:1::7f00:1]:PORT/",
  "http://[2002:7f00:1::]:PORT/",
  "http://localhost:PORT/",
  "http://LOCALHOST:PORT/",
  "http://localhost.:PORT/",
  "http://sub.localhost:PORT/",
  "http://①②⑦.⓪.⓪.①:PORT/",
  "http://127。0。0。1:PORT/",
  "http://１２７.0.0.1:PORT/",
  "http://ⓛocalhost:PORT/",
  "http://127.0.0.1.nip.example:PORT/",
  "http://six.example:PORT/",
  "http://mapped.example:PORT/",
  "http://nat64.example:PORT/",
  "http://zero.example:PORT/",
  "http://all-private.example:PORT/",
  "https://127.0.0.1:PORT/",
  "https://localhost:PORT/",
];

const ELSEWHERE = [
  "http://169.254.169.254/latest/meta-data/",
  "http://[::ffff:a9fe:a9fe]/latest/meta-data/",
  "http://[fe80::1]/",
  "http://metadata.example/",
  "http://private.example/",
  "http://unique-local.example/",
  "http://10.0.0.1/",
  "http://100.64.0.1/",
  "http://172.16.0.1/",
  "http://172.31.255.255/",
  "http://192.168.0.1/",
  "http://192.0.0.8/",
  "http://198.18.0.1/",
  "http://224.0.0.1/",
  "http://240.0.0.1/",
  "http://255.255.255.255/",
  "http://[fd12:3456::1]/",
  "http://[ff02::1]/",
  "http://nothing.example/",
  "http://93.184.216.34/",
];

const UNSENDABLE = [
  "http://user@127.0.0.1:PORT/",
  "http://trusted.example:80@127.0.0.1:PORT/",
  "http://user:secret@example.com/",
  "http://127.0.0.1:PORT/a\r\nHost: evil",
  "http://127.0.0.1:PORT/\tx",
  "http://127.0.0.1:PORT /",
  "file:///etc/passwd",
  "gopher://127.0.0.1:PORT/_GET",
  "ftp://127.0.0.1:PORT/",
  "unix:/var/run/docker.sock",
  "javascript:alert(1)",
  "data:text/plain,x",
  "//127.0.0.1:PORT/",
  "http://",
  "http://[fe80::1%25eth0]:PORT/",
  "http://1.2.3.4.5:PORT/",
  "",
];

describe("addresses that flows may not call", () => {
  test.each(LOOPBACK)("loopback as %s", async (url) => {
    const type = await refusalOf(url.replace("PORT", String(port)));
    expect(["ADDRESS_REFUSED", "REQUEST_INVALID"]).toContain(type);
    expect(hits).toBe(0);
  });

  test.each(ELSEWHERE)("%s", async (url) => {
    expect(await refusalOf(url)).toBe("ADDRESS_REFUSED");
  });

  test.each(UNSENDABLE)("URL that is no call: %j", async (url) => {
    expect(await refusalOf(url.replace("PORT", String(port)))).toBe("REQUEST_INVALID");
    expect(hits).toBe(0);
  });

  test("private addresses are open when the configuration says so, special ones are not", async () => {
    const policy = { allowPrivate: true, allow: [] };
    for (const url of [
      "http://169.254.169.254/",
      "http://0.0.0.0/",
      "http://[::ffff:127.0.0.1]/",
      "http://metadata.example/",
    ]) {
      expect(await refusalOf(url, policy), url).toBe("ADDRESS_REFUSED");
    }
    expect(await refusalOf(`${tool.origin}/echo`, policy)).toBe("REACHED");
  });

  test("what the allow list names is open, and nothing beside it", async () => {
    for (const allow of [[`127.0.0.1:${tool.port}`], ["127.0.0.1"], ["127.0.0.0/8"]]) {
      expect(await refusalOf(`${tool.origin}/echo`, { allowPrivate: false, allow })).toBe("REACHED");
    }
    expect(
      await refusalOf(`http://localhost:${tool.port}/echo`, { allowPrivate: false, allow: [`localhost:${tool.port}`] }),
    ).toBe("REACHED");
    const other = { allowPrivate: false, allow: [`127.0.0.1:${tool.port}`, "localhost:1"] };
    expect(await refusalOf(`http://127.0.0.1:${port}/`, other)).toBe("ADDRESS_REFUSED");
    expect(await refusalOf(`http://localhost:${tool.port}/`, other)).toBe("ADDRESS_REFUSED");
    expect(hits).toBe(0);
  });

  test("the refusal names the setting and keeps the address that a name resolves to for itself", async () => {
    const { call, close } = await callWith({ allowPrivate: false, allow: [] }, "http://private.example:8080/");
    const outcome = await call();
    await close();
    const message = outcome.ok ? "" : outcome.error.message;
    expect(message).toContain("http.allow");
    expect(message).toContain("private.example:8080");
    expect(message).not.toContain("10.1.2.3");
  });
});

describe("names that change their mind", () => {
  test("a redirect to a refused address is not followed", async () => {
    for (const to of [`http://127.0.0.1:${port}/`, "http://169.254.169.254/latest/"]) {
      const allow = [`127.0.0.1:${tool.port}`];
      const { call, close } = await callWith(
        { allowPrivate: false, allow },
        `${tool.origin}/redirect?to=${encodeURIComponent(to)}`,
      );
      expect(await call()).toMatchObject({ ok: false, error: { type: "ADDRESS_REFUSED", retryable: false } });
      await close();
    }
    expect(hits).toBe(0);
  });

  test("the address that was judged is the one that is called; the next connection is judged again", async () => {
    // 192.0.2.1 stands for a public server that does not answer; the policy of this test takes it for one.
    const names = { "rebind.example": [["192.0.2.1"], ["127.0.0.1"]] };
    const policy = { allowPrivate: false, allow: ["192.0.2.0/24"] };
    const { call, asked, close } = await callWith(policy, `http://rebind.example:${port}/`, { names, timeoutMs: 300 });
    const first = await call();
    expect(first).toMatchObject({ ok: false, error: { retryable: true } });
    expect(asked.get("rebind.example")).toBe(1);
    expect(await call()).toMatchObject({ ok: false, error: { type: "ADDRESS_REFUSED" } });
    expect(asked.get("rebind.example")).toBe(2);
    await close();
    expect(hits).toBe(0);
  });

  test("of several addresses only those that the policy allows are tried", async () => {
    const names = { "mixed.example": ["127.0.0.1", "192.0.2.1", "::1"] };
    const policy = { allowPrivate: false, allow: ["192.0.2.0/24"] };
    const { call, close } = await callWith(policy, `http://mixed.example:${port}/`, { names, timeoutMs: 600 });
    const outcome = await call();
    expect(outcome.ok).toBe(false);
    expect(outcome.ok || outcome.error.type).not.toBe("ADDRESS_REFUSED");
    await close();
    expect(hits).toBe(0);
  });
});

test("the canary counts: a policy that lets everything private through makes it sing", async () => {
  const { call, close } = await callWith({ allowPrivate: true, allow: [] }, `http://127.0.0.1:${port}/`, {
    timeoutMs: 300,
  });
  await call();
  await close();
  expect(hits).toBe(1);
});
