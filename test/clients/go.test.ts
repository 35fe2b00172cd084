import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { copyGoModule, GO, GO_MISSING } from "./go-environment.ts";
import { checkFlowReport, HERE, ROOT, readSnippet, runProgram } from "./programs.ts";
import { openTestService, SERVICE_MISSING, type TestService } from "./service.ts";

describe.skipIf(GO_MISSING)("the Go client", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "orchestrator-go-"));
    copyGoModule(`${HERE}go`, folder);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("builds, and its module file is complete", async () => {
    await runProgram(GO, ["vet", "./..."], { cwd: `${ROOT}gen/go` });
    expect(await runProgram(GO, ["mod", "tidy", "-diff"], { cwd: `${ROOT}gen/go` })).toBe("");
  });

  test("needs only protobuf and gRPC", async () => {
    const format = "{{with .Module}}{{.Path}}{{end}}";
    const text = await runProgram(GO, ["list", "-deps", "-f", format, "./..."], { cwd: `${ROOT}gen/go` });
    const modules = [...new Set(text.split("\n").filter((line) => line !== ""))].sort();
    const allowed =
      /^(orchestrator\.internal\/client|google\.golang\.org\/(grpc|protobuf|genproto\/googleapis\/rpc)|golang\.org\/x\/\w+)$/;
    expect(modules).toContain("google.golang.org/grpc");
    expect(modules.filter((name) => !allowed.test(name))).toEqual([]);
  });

  test("stands beside another health/v1/health.proto", async () => {
    const text = await runProgram(GO, ["run", "./beside"], { cwd: folder });
    expect(text.trim().split("\n")).toEqual([
      "orchestrator.health.v1.HealthCheckRequest",
      "orchestrator.info.v1.GetInfoRequest",
      "orchestrator.v1.Run",
    ]);
  });

  describe.skipIf(SERVICE_MISSING)("against a service", () => {
    let service: TestService;
    beforeAll(async () => {
      service = await openTestService();
    });
    afterAll(() => service?.close());

    test("the published snippet runs with the module file of the page", async () => {
      // The snippet uses fmt and log without importing them.
      const snippet = readSnippet("go", service.address).replace(
        '    "context"\n',
        '    "context"\n    "fmt"\n    "log"\n',
      );
      const commands = readFileSync(`${ROOT}docs/seeds.md`, "utf8").split("```sh go\n")[1]?.split("```")[0] ?? "";
      const program = mkdtempSync(join(tmpdir(), "orchestrator-go-seed-"));
      onTestFinished(() => rmSync(program, { recursive: true, force: true }));
      writeFileSync(join(program, "main.go"), snippet);
      const script = commands.replace("/path/to/orchestrator/", ROOT).replaceAll(/\bgo (?=mod|run)/g, `"${GO}" `);
      expect(script).toContain(`${ROOT}gen/go`);
      expect(await runProgram("sh", ["-euc", script], { cwd: program })).toBe("SERVING_STATUS_SERVING\n");
    });

    test("registers, starts, waits and watches", async () => {
      const env = { ORCHESTRATOR_TEST_ADDR: service.address };
      const report = checkFlowReport(await runProgram(GO, ["run", "./flow", `${HERE}flow.yaml`], { cwd: folder, env }));
      expect(report).toMatchObject({ code: "NotFound", reason: "FLOW_NOT_FOUND" });
    });
  });
});
