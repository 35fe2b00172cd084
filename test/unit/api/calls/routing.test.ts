import { create, type DescMethod, type MessageInitShape, setExtension } from "@bufbuild/protobuf";
import { MethodDescriptorProtoSchema, MethodOptionsSchema } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { compileRouting, ownedRunOf } from "../../../../src/api/calls/routing.ts";
import { Health } from "../../../../src/gen/grpc/health/v1/health_pb.ts";
import {
  MethodPolicySchema,
  policy,
  type RoutingSchema,
} from "../../../../src/gen/orchestrator/options/v1/options_pb.ts";
import { PauseRunRequestSchema, RunService } from "../../../../src/gen/orchestrator/v1/run_service_pb.ts";

/** A method of the contract under another policy. */
function withRouting(method: DescMethod, routing?: MessageInitShape<typeof RoutingSchema>): DescMethod {
  const options = create(MethodOptionsSchema);
  setExtension(options, policy, create(MethodPolicySchema, routing === undefined ? {} : { routing }));
  const proto = create(MethodDescriptorProtoSchema, { options });
  return { ...(method as object), proto, toString: () => method.toString() } as DescMethod;
}

const { pauseRun, batchStartRuns } = RunService.method;

test("the policy of the contract says where calls go", () => {
  expect(compileRouting(RunService.method.getRun)).toEqual({ to: "any_instance" });
  expect(compileRouting(batchStartRuns)).toEqual({ to: "batch", items: "requests", results: "results" });
  const routing = compileRouting(pauseRun);
  expect(routing).toEqual({ to: "owner", field: "runId" });
  expect(ownedRunOf({ routing }, create(PauseRunRequestSchema, { runId: "r" }))).toBe("r");
});

test("a method of another contract, without a policy, is answered by any instance", () => {
  expect(compileRouting(Health.method.check)).toEqual({ to: "any_instance" });
});

test("a policy that does not say where calls go, or names what is not there, keeps the service from starting", () => {
  const batch = { items: "requests", ownerOf: "run_id", results: "results" };
  const splitBy = (value: typeof batch) => withRouting(batchStartRuns, { to: { case: "batch", value } });
  const wrong: readonly (readonly [DescMethod, string])[] = [
    [withRouting(pauseRun), "does not say"],
    [withRouting(pauseRun, {}), "does not say"],
    [withRouting(pauseRun, { to: { case: "ownerOf", value: "flow" } }), "has no field flow"],
    [splitBy({ ...batch, items: "request_id" }), "holds no messages"],
    [splitBy({ ...batch, ownerOf: "run" }), "has no field run"],
    [splitBy({ ...batch, results: "answers" }), "has no field answers"],
  ];
  for (const [method, problem] of wrong) expect(() => compileRouting(method), problem).toThrow(problem);
});
