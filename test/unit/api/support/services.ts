/** Every service of the contract. */
import type { DescService } from "@bufbuild/protobuf";
import { Health } from "../../../../src/gen/grpc/health/v1/health_pb.ts";
import { HealthService } from "../../../../src/gen/orchestrator/health/v1/health_pb.ts";
import { InfoService } from "../../../../src/gen/orchestrator/info/v1/info_pb.ts";
import { ApprovalService } from "../../../../src/gen/orchestrator/v1/approval_service_pb.ts";
import { FlowService } from "../../../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { OperationService } from "../../../../src/gen/orchestrator/v1/operation_service_pb.ts";
import { RunService } from "../../../../src/gen/orchestrator/v1/run_service_pb.ts";
import { TemplateService } from "../../../../src/gen/orchestrator/v1/template_service_pb.ts";

/** The list. */
export const SERVICES: readonly DescService[] = [
  Health,
  HealthService,
  InfoService,
  FlowService,
  RunService,
  ApprovalService,
  OperationService,
  TemplateService,
];
