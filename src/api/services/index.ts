/** The list of services that are served, each with its handlers. A new service is one entry here. */
import type { ApprovalIndex, Approvals } from "../../engine/ports/approvals.ts";
import type { RunControl } from "../../engine/ports/run-control.ts";
import type { RunIndex } from "../../engine/ports/run-index.ts";
import type { RunReader } from "../../engine/ports/run-reader.ts";
import type { RunWatch } from "../../engine/ports/run-watch.ts";
import type { FlowRegistry } from "../../flows/ports/registry.ts";
import { Health as GrpcHealthService } from "../../gen/grpc/health/v1/health_pb.ts";
import { HealthService } from "../../gen/orchestrator/health/v1/health_pb.ts";
import { InfoService } from "../../gen/orchestrator/info/v1/info_pb.ts";
import { ApprovalService } from "../../gen/orchestrator/v1/approval_service_pb.ts";
import { FlowService } from "../../gen/orchestrator/v1/flow_service_pb.ts";
import { PayloadService } from "../../gen/orchestrator/v1/payload_service_pb.ts";
import { RunService } from "../../gen/orchestrator/v1/run_service_pb.ts";
import { TemplateService } from "../../gen/orchestrator/v1/template_service_pb.ts";
import type { ServedMethod } from "../calls/methods.ts";
import { serveService } from "../calls/methods.ts";
import type { Health } from "../health.ts";
import type { Tokens } from "../lists/tokens.ts";
import type { PeerRuns } from "../peers/peer-runs.ts";
import { createApprovalService } from "./approval-service.ts";
import { createFlowLists } from "./flow-lists.ts";
import { createFlowService } from "./flow-service.ts";
import { createGrpcHealthService, createHealthService } from "./health-service.ts";
import type { InfoLimits, ServiceFacts } from "./info-service.ts";
import { createInfoService } from "./info-service.ts";
import { createPayloadService } from "./payload-service.ts";
import { createRunLists } from "./run-lists.ts";
import { createPlanIndexOf, createRunService } from "./run-service.ts";
import { createRunWatch } from "./run-watch.ts";
import type { TemplateSource } from "./template-service.ts";
import { createTemplateService } from "./template-service.ts";

/** What the services stand on. */
export interface ServiceParts {
  readonly runControl: RunControl;
  readonly runReader: RunReader;
  readonly runWatch: RunWatch;
  readonly approvals: Approvals;
  readonly approvalIndex: ApprovalIndex;
  readonly runIndex: RunIndex;
  readonly flows: FlowRegistry;
  readonly templates: TemplateSource;
  readonly health: Health;
  readonly facts: ServiceFacts;
  readonly limits: InfoLimits;
  readonly tokens: Tokens;
  /** The changes of other instances; absent where there are none. */
  readonly peerRuns?: PeerRuns;
  /** Aborts when the service drains: streams end with a place to resume from. */
  readonly draining: AbortSignal;
  readonly heartbeatMs: number;
}

/** Other paths under which methods answer: a document that this product keeps names this one. */
export const ALIASES: Readonly<Record<string, string>> = {
  "/health.v1.HealthService/Check": "/orchestrator.health.v1.HealthService/Check",
};

const PACKAGES = ["grpc.health.v1", "orchestrator.health.v1", "orchestrator.info.v1", "orchestrator.v1"];

/** All methods of all services. */
export function createServices(parts: ServiceParts): readonly ServedMethod[] {
  const { runControl, runReader, approvals, approvalIndex, runIndex, flows, templates, health, facts, limits, tokens } =
    parts;
  const planIndexOf = createPlanIndexOf(flows);
  return [
    ...serveService(HealthService, createHealthService(health)),
    ...serveService(GrpcHealthService, createGrpcHealthService(health, parts.draining)),
    ...serveService(InfoService, createInfoService(facts, limits, PACKAGES)),
    ...serveService(FlowService, { ...createFlowService(flows, limits), ...createFlowLists(flows, tokens) }),
    ...serveService(RunService, {
      ...createRunService(runControl, runReader, planIndexOf, limits),
      ...createRunLists(runReader, runIndex, planIndexOf, tokens, limits),
      ...createRunWatch({ ...parts, planIndexOf }),
    }),
    ...serveService(ApprovalService, createApprovalService(approvals, approvalIndex, runReader, tokens, limits)),
    ...serveService(PayloadService, createPayloadService(runReader)),
    ...serveService(TemplateService, createTemplateService(templates, flows, tokens, limits)),
  ];
}
