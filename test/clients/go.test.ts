import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { copyGoModule, GO, GO_MISSING } from "./go-environment.ts";
import { adaptSnippet, checkFlowReport, HERE, ROOT, runProgram } from "./programs.ts";
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

    test("the published snippet runs", async () => {
      // The snippet uses fmt and log without importing them; both are import lines.
      const imports = {
        '"github.com/company/multi-ai-agent/orchestrator/gen/health/v1"': '"orchestrator.internal/client/health/v1"',
        '    "context"\n': '    "context"\n    "fmt"\n    "log"\n',
      };
      mkdirSync(join(folder, "seed"), { recursive: true });
      writeFileSync(join(folder, "seed/main.go"), adaptSnippet("go", imports, service.address));
      expect(await runProgram(GO, ["run", "./seed"], { cwd: folder })).toBe("SERVING_STATUS_SERVING\n");
    });

    test("registers, starts, waits and watches", async () => {
      const env = { ORCHESTRATOR_TEST_ADDR: service.address };
      const report = checkFlowReport(await runProgram(GO, ["run", "./flow", `${HERE}flow.yaml`], { cwd: folder, env }));
      expect(report).toMatchObject({ code: "NotFound", reason: "FLOW_NOT_FOUND" });
    });
  });
});
