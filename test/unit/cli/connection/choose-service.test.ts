import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { chooseService, type ServiceChoice } from "../../../../src/cli/connection/choose-service.ts";
import { findLastService, rememberService } from "../../../../src/cli/connection/last-service.ts";
import { createTemporaryFolder } from "../../../support/temporary-folder.ts";

const PROFILES = `current: ""
profiles:
  prod: {server: "prod.example:443", token: secret}
  plain: {server: plain.example}
`;

function home(profiles = PROFILES): { readonly configHome: string; readonly stateHome: string } {
  const configHome = createTemporaryFolder();
  mkdirSync(join(configHome, "orchestrator"));
  writeFileSync(join(configHome, "orchestrator", "profiles.yaml"), profiles);
  return { configHome, stateHome: createTemporaryFolder() };
}

const choose = (choice: ServiceChoice, profiles?: string) => chooseService({ ...home(profiles), ...choice });

describe("the service that a command calls", () => {
  // Cause: options and variables were one value by the time they were compared, so ORCHESTRATOR_SERVER won over
  // --profile.
  test("a profile that is named wins over the environment, and its token goes along", async () => {
    const environment = { server: "other:1", sources: { server: "env", profile: "cli" } } as const;
    expect(await choose({ ...environment, profile: "prod" })).toEqual({
      address: "prod.example:443",
      origin: "profile prod",
      token: "secret",
    });
    const sources = { ...environment.sources, token: "env" } as const;
    const withToken = { ...environment, token: "of-other", sources };
    expect((await choose({ ...withToken, profile: "prod" })).token).toBe("secret");
    // The token of the environment belongs to the address of the environment.
    expect(await choose({ ...withToken, profile: "plain" })).not.toHaveProperty("token");
  });

  test("--server wins over everything, and gets no token of another address", async () => {
    const sources = { server: "cli", profile: "cli" } as const;
    expect(await choose({ server: "here:1", profile: "prod", sources })).toEqual({ address: "here:1", origin: "" });
    expect((await choose({ server: "prod.example:443", profile: "prod", sources })).token).toBe("secret");
  });

  test("ORCHESTRATOR_SERVER wins over ORCHESTRATOR_PROFILE and the profile in use; empty variables do not count", async () => {
    const inUse = PROFILES.replace('current: ""', "current: plain");
    const sources = { server: "env", profile: "env" } as const;
    expect((await choose({ server: "env:1", profile: "prod", sources }, inUse)).address).toBe("env:1");
    expect((await choose({ server: "", profile: "prod", sources }, inUse)).address).toBe("prod.example:443");
    expect((await choose({ server: "", profile: "", sources }, inUse)).address).toBe("plain.example:8002");
  });

  test.each(["cli", "env"] as const)(
    "an unknown profile is an error, named by %s, whatever else is given",
    async (source) => {
      for (const rest of [{}, { server: "here:1" }])
        await expect(choose({ profile: "prd", sources: { profile: source, server: "cli" }, ...rest })).rejects.toThrow(
          /no profile named prd; did you mean "prod"/,
        );
    },
  );

  test("an empty flag is a mistake", async () => {
    await expect(choose({ server: "", sources: { server: "cli" } })).rejects.toMatchObject({ code: "ADDRESS_INVALID" });
    await expect(choose({ profile: "", sources: { profile: "cli" } })).rejects.toMatchObject({
      code: "PROFILE_NOT_FOUND",
    });
  });

  test.each([
    ["localhost", "localhost:8002"],
    ["http://localhost", "localhost:8002"],
    ["http://localhost:80/", "localhost:80"],
    ["localhost:9000", "localhost:9000"],
    ["https://flows.example", "https://flows.example:443"],
    ["https://flows.example:8002/", "https://flows.example:8002"],
    ["::1", "[::1]:8002"],
    ["[::1]:9", "[::1]:9"],
  ])("%s is %s", async (server, address) => {
    expect((await choose({ server })).address).toBe(address);
  });

  test.each(["8002", "a b", "http://host/path", "ftp://host", "user@host", "host:99999"])(
    "%j is no address",
    async (server) => {
      await expect(choose({ server })).rejects.toMatchObject({ code: "ADDRESS_INVALID" });
    },
  );
});

describe("the last local service", () => {
  test("is called when nothing else is said, until it stops", async () => {
    const places = home();
    expect((await chooseService(places)).address).toBe("127.0.0.1:8002");
    const forget = rememberService(places.stateHome, "127.0.0.1:8300");
    expect(await chooseService(places)).toMatchObject({
      address: "127.0.0.1:8300",
      origin: expect.stringContaining("last"),
    });
    expect((await chooseService({ ...places, server: "other:1" })).address).toBe("other:1");
    forget();
    expect((await chooseService(places)).address).toBe("127.0.0.1:8002");
  });

  test("notes of processes that are gone, and files that are no notes, are ignored and cleaned up", () => {
    const { stateHome } = home();
    const folder = join(stateHome, "orchestrator", "services");
    mkdirSync(folder, { recursive: true });
    const note = (name: string, text: string) => writeFileSync(join(folder, name), text);
    const startedAt = Date.now();
    // No process can have this id; one that runs may have been started after the machine was.
    note("1.json", JSON.stringify({ address: "dead:1", pid: 2 ** 22 + 1, startedAt }));
    note("2.json", JSON.stringify({ address: "old:1", pid: process.pid, startedAt: 1 }));
    note("3.json", "{");
    note("4.json", '{"address": 5}');
    expect(findLastService(stateHome)).toBeNull();
    rememberService(stateHome, "new:1");
    expect(readdirSync(folder)).toEqual([`${process.pid}.json`]);
    note("5.json", JSON.stringify({ address: "newer:1", pid: process.ppid, startedAt: startedAt + 60_000 }));
    expect(findLastService(stateHome)).toBe("newer:1");
  });

  test("a folder that cannot be written is no error", () => {
    expect(() => rememberService("/proc/none", "new:1")()).not.toThrow();
    expect(findLastService("/proc/none")).toBeNull();
  });
});
