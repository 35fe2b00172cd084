/** Calls that instances make for themselves: about tasks, workers, and limits. */
import { create } from "@bufbuild/protobuf";
import { fail } from "../../base/errors.ts";
import type { Caller } from "../../engine/ports/caller.ts";
import type { LimitCalls } from "../../engine/ports/dispatch/limits.ts";
import type { PeerCalls } from "../../engine/ports/dispatch/peers.ts";
import {
  ExchangeRequestSchema,
  PeerService,
  TellLimitsRequestSchema,
} from "../../gen/orchestrator/peer/v1/peer_service_pb.ts";
import type { CallContext } from "../calls/call.ts";
import { toExchange } from "../mapping/workers/peer-message.ts";
import { anywhere, type Sender } from "./forward-send.ts";

/** An instance that has not answered after this time, milliseconds, is out of reach. */
const EXCHANGE_MS = 2_000;

const EXCHANGE = anywhere(PeerService.method.exchange);
const TELL_LIMITS = anywhere(PeerService.method.tellLimits);

const NEVER = new AbortController().signal;

/** Creates the calls. */
export function createPeerCalls(sender: Sender): PeerCalls & LimitCalls {
  return {
    async tellLimits({ address }, { from, changed, granted }) {
      const request = create(TellLimitsRequestSchema, {
        from,
        changed: [...changed],
        granted: granted.map(({ runId, path, asked, shard }) => ({ runId, taskPath: path, asked, shard })),
      });
      const call = { caller: instanceAsCaller(from), requestId: "", remainingMs: () => EXCHANGE_MS };
      await sender.send(address, TELL_LIMITS, request, call, NEVER);
    },
    async exchange({ address }, conversation, message) {
      const request = create(ExchangeRequestSchema, toExchange(conversation, message));
      const call = { caller: instanceAsCaller(conversation.from), requestId: "", remainingMs: () => EXCHANGE_MS };
      const { epoch, taken, refused } = await sender.send(address, EXCHANGE, request, call, NEVER);
      return { epoch: Number(epoch), taken, refused };
    },
  };
}

/** Checks that an instance makes the call for itself. Error: CALLER_UNVERIFIED. */
export function checkInstance(call: Pick<CallContext, "forwarded" | "caller">, id: string): void {
  checkForwarded(call);
  const { tenantId, actor } = instanceAsCaller(id);
  if (call.caller.tenantId !== tenantId || call.caller.actor !== actor)
    fail("CALLER_UNVERIFIED", { problem: "it was made by another instance" });
}

/** Checks that an instance makes the call. Error: CALLER_UNVERIFIED. */
export function checkForwarded({ forwarded }: Pick<CallContext, "forwarded">): void {
  if (!forwarded) fail("CALLER_UNVERIFIED", { problem: "only instances of this service make this call" });
}

/** It belongs to no tenant. */
function instanceAsCaller(instanceId: string): Caller {
  return { tenantId: "", actor: instanceId };
}
