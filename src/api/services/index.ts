/** The list of served services. A new one is one line here. */
import { adminService } from "./admin/admin-service.ts";
import { approvalService } from "./approval-service.ts";
import { budgetService } from "./budget-service.ts";
import { callbackService } from "./callback-service.ts";
import { flowService } from "./flow-service.ts";
import { generationService } from "./generations/generation-service.ts";
import { goalService } from "./goals/goal-service.ts";
import { grpcHealthService, healthService } from "./health-service.ts";
import { infoService } from "./info-service.ts";
import { limitService } from "./limit-service.ts";
import { deadLetterService } from "./messages/dead-letter-service.ts";
import { operationService } from "./operation-service.ts";
import { payloadService } from "./payload-service.ts";
import { peerService } from "./peer-service.ts";
import { queueService } from "./queue-service.ts";
import { routingService } from "./routing/routing-service.ts";
import { toolService } from "./routing/tool-service.ts";
import { runService } from "./runs/run-service.ts";
import { templateService } from "./template-service.ts";
import { topicService } from "./topic-service.ts";
import { triggerService } from "./trigger-service.ts";
import { upgradeService } from "./upgrade-service.ts";
import { workerService } from "./worker-service.ts";

export const SERVICES = [
  healthService,
  grpcHealthService,
  infoService,
  flowService,
  runService,
  approvalService,
  operationService,
  payloadService,
  templateService,
  workerService,
  queueService,
  limitService,
  budgetService,
  callbackService,
  topicService,
  triggerService,
  deadLetterService,
  routingService,
  toolService,
  goalService,
  generationService,
  upgradeService,
  adminService,
] as const;

/** Served for other instances only, over gRPC, and shown to nobody. */
export const PEER_SERVICES = [peerService] as const;
