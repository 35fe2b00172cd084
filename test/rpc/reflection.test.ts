import { Client, credentials } from "@grpc/grpc-js";
import { afterEach, expect, test } from "vitest";
import { startApi, type TestApi } from "./support/start-api.ts";

let tested: TestApi;

afterEach(() => tested.api.close(50));

/** Asks the reflection service in its own bytes: field 7 is `list_services`, field 4 `file_containing_symbol`. */
function ask(version: string, request: Buffer): Promise<Buffer | number> {
  return new Promise((resolve) => {
    const client = new Client(tested.address, credentials.createInsecure());
    const same = (bytes: Buffer): Buffer => bytes;
    const call = client.makeBidiStreamRequest(
      `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`,
      same,
      same,
    );
    call.on("data", (bytes: Buffer) => {
      resolve(bytes);
      call.cancel();
      client.close();
    });
    call.on("error", (error: Error & { code?: number }) => {
      resolve(error.code ?? -1);
      client.close();
    });
    call.write(request);
  });
}

test.each(["v1", "v1alpha"])("%s lists the services and gives their files", async (version) => {
  tested = await startApi({ reflection: true });
  const list = await ask(version, Buffer.from([0x3a, 1, 0x2a]));
  expect(String(list)).toContain("orchestrator.v1.RunService");
  expect(String(list)).toContain("grpc.health.v1.Health");
  const symbol = Buffer.from("orchestrator.v1.RunService");
  const file = await ask(version, Buffer.concat([Buffer.from([0x22, symbol.length]), symbol]));
  expect(String(file)).toContain("StartRunRequest");
  expect(String(file)).toContain("google/protobuf/struct.proto");
  const detail = Buffer.from("google.rpc.ErrorInfo");
  expect(String(await ask(version, Buffer.concat([Buffer.from([0x22, detail.length]), detail])))).toContain(
    "BadRequest",
  );
});

test("without the setting there is none", async () => {
  tested = await startApi({ reflection: false });
  expect(await ask("v1", Buffer.from([0x3a, 1, 0x2a]))).toBe(12);
});
