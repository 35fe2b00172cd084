/** InfoService: facts about the service for clients. */
import { create } from "@bufbuild/protobuf";
import { MAX_JSON_DEPTH } from "../../base/json/json-parse.ts";
import { REQUEST_ID_RETENTION_MS } from "../../engine/machine/state.ts";
import { GetInfoResponseSchema, InfoService } from "../../gen/orchestrator/info/v1/info_pb.ts";
import type { ServiceHandlers } from "../calls/call.ts";
import { defineService } from "../calls/services.ts";
import { DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE } from "../lists/paging.ts";
import { STORE_KIND } from "../mapping/enums.ts";
import { toDuration, toTimestamp } from "../mapping/time.ts";

/** Facts about this process. */
export interface ServiceFacts {
  readonly version: string;
  /** Source revision; empty if unknown. */
  readonly revision: string;
  readonly store: "embedded" | "external";
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  /** Names of enabled optional features. */
  readonly capabilities: readonly string[];
}

/** Limits on requests. */
export interface InfoLimits {
  readonly maxMessageBytes: number;
  readonly maxPayloadBytes: number;
  readonly maxInlinePayloadBytes: number;
  readonly maxFlowBytes: number;
}

/** Longest `wait` in the contract, milliseconds. */
const MAX_WAIT_MS = 50_000;
/** Most starts per batch in the contract. */
const MAX_BATCH_SIZE = 1_000;

interface Needs {
  readonly facts: ServiceFacts;
  readonly limits: InfoLimits;
  /** The served Protobuf packages. */
  readonly packages: readonly string[];
}

function createHandlers({ facts, limits, packages }: Needs): ServiceHandlers<typeof InfoService> {
  return {
    async getInfo() {
      return create(GetInfoResponseSchema, {
        service: "orchestrator",
        version: facts.version,
        build: {
          revision: facts.revision,
          runtime: `node ${process.versions.node}`,
          storeKind: STORE_KIND[facts.store],
        },
        packages: [...packages].sort(),
        capabilities: [...facts.capabilities].sort(),
        limits: {
          maxMessageBytes: BigInt(limits.maxMessageBytes),
          maxPayloadBytes: BigInt(limits.maxPayloadBytes),
          maxInlinePayloadBytes: BigInt(limits.maxInlinePayloadBytes),
          maxFlowBytes: BigInt(limits.maxFlowBytes),
          maxPayloadDepth: MAX_JSON_DEPTH,
          maxPageSize: MAX_PAGE_SIZE,
          defaultPageSize: DEFAULT_PAGE_SIZE,
          maxBatchSize: MAX_BATCH_SIZE,
          maxWait: toDuration(MAX_WAIT_MS),
          requestIdRetention: toDuration(REQUEST_ID_RETENTION_MS),
        },
        startTime: toTimestamp(facts.startedAt),
        serverTime: toTimestamp(Date.now()),
      });
    },
  };
}

export const infoService = defineService(InfoService, createHandlers);
