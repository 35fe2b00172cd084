/** Delivers one event to its endpoint. */
import { headerProblem, isHeaderValue } from "../../base/net/header-rules.ts";
import { HOPS_HEADER } from "../../base/net/hops.ts";
import { statusType } from "../../base/net/http-status.ts";
import { secretNameOf } from "../../base/secrets/secret-reference.ts";
import type { Secrets } from "../../base/secrets/secrets.ts";
import { toTraceFields } from "../../base/traces/trace-context.ts";
import type { Outgoing } from "../../engine/ports/bus/outbox.ts";
import type { PostWebhook } from "../../engine/ports/bus/webhooks.ts";
import { readKeys, sign } from "./signature.ts";

/** What became of an event. */
export type Verdict =
  | { readonly type: "delivered" }
  /** It is never tried again. */
  | { readonly type: "rejected"; readonly code: "REFUSED" | "INVALID"; readonly reason: string }
  | {
      readonly type: "failed";
      readonly reason: string;
      /** The endpoint takes nothing for now, whatever the event. */
      readonly isAway: boolean;
      /** How long the endpoint asks to wait, milliseconds. */
      readonly waitMs: number;
    };

/** An endpoint; the secret and the values of headers may be references. */
export interface Endpoint {
  readonly url: string;
  readonly secret: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
}

export interface DeliveryParts {
  readonly endpoint: Endpoint;
  readonly secrets: Pick<Secrets, "resolve">;
  readonly post: PostWebhook;
}

/** Longest time for which an endpoint is left alone because it asks for it, milliseconds. */
const LONGEST_WAIT_MS = 3_600_000;

/** Statuses below 500 that may change. */
const RETRIED: ReadonlySet<number> = new Set([408, 425, 429]);

/** Statuses of an endpoint that takes nothing for now. */
const AWAY: ReadonlySet<number> = new Set([429, 503]);

/** Delivers; never rejects. */
export type Deliver = (message: Outgoing, stopping: AbortSignal) => Promise<Verdict>;

export function createDelivery({ endpoint, secrets, post }: DeliveryParts): Deliver {
  return async (message, stopping) => {
    if (message.kind !== "event") return rejected("INVALID", `a message of kind ${message.kind} is no event`);
    const given = message.content.headers as Readonly<Record<string, string | number | boolean>>;
    for (const [name, value] of Object.entries(given)) {
      const problem = headerProblem(name, String(value));
      if (problem !== null) return rejected("INVALID", problem);
    }
    const body = JSON.stringify(message.content.payload);
    let headers: Readonly<Record<string, string>>;
    try {
      headers = { ...toHeaders(given), ...(await signedHeaders(endpoint, secrets, message, body)) };
    } catch (error) {
      // The service lacks a secret, or cannot send it: an operator fixes that, and the event waits.
      return { type: "failed", reason: (error as Error).message, isAway: true, waitMs: 0 };
    }
    const answer = await post({ url: endpoint.url, headers, body, timeoutMs: endpoint.timeoutMs }, stopping);
    if (!answer.answered) return { type: "failed", reason: answer.reason, isAway: !answer.isSent, waitMs: 0 };
    const { status, retryAfterMs } = answer;
    if (status >= 200 && status <= 299) return { type: "delivered" };
    const reason = `the endpoint answered ${status} ${statusType(status)}`;
    if (status < 500 && !RETRIED.has(status)) return rejected("REFUSED", reason);
    return {
      ...{ type: "failed", reason, isAway: AWAY.has(status) },
      waitMs: Math.min(retryAfterMs ?? 0, LONGEST_WAIT_MS),
    };
  };
}

function rejected(code: "REFUSED" | "INVALID", reason: string): Verdict {
  return { type: "rejected", code, reason };
}

/** Headers of the endpoint and of the service: those of the event do not take their place. */
async function signedHeaders(
  { secret, headers }: Endpoint,
  secrets: Pick<Secrets, "resolve">,
  message: Outgoing,
  body: string,
): Promise<Record<string, string>> {
  const own: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    const resolved = await secrets.resolve(value);
    if (!isHeaderValue(resolved)) {
      // A value that is no reference may be a secret, too: it is not shown.
      const from = secretNameOf(value) === null ? "" : ` (${value})`;
      throw new Error(`the header ${name} of the endpoint${from} holds characters that headers cannot carry`);
    }
    own[name.toLowerCase()] = resolved;
  }
  const id = idOf(message);
  const at = Math.floor(Date.now() / 1_000);
  const signature = sign(readKeys(await secrets.resolve(secret)), id, at, body);
  const names = { id, timestamp: String(at), signature };
  return {
    ...own,
    "content-type": "application/json",
    "user-agent": "orchestrator",
    "orchestrator-run-id": message.runId,
    "orchestrator-sequence": String(message.sequence),
    [HOPS_HEADER]: String(hopsOf(message) + 1),
    ...toTraceFields(message.kind === "event" ? message.content.trace : null),
    ...Object.fromEntries(Object.entries(names).map(([name, value]) => [`webhook-${name}`, value])),
    ...Object.fromEntries(Object.entries(names).map(([name, value]) => [`orchestrator-${name}`, value])),
  };
}

/** The same for all copies of an event. */
export function idOf({ runId, taskPath, sequence, ...message }: Outgoing): string {
  const key = message.kind === "event" ? message.content.idempotencyKey : undefined;
  return key ?? `${runId}/${taskPath}/${sequence}`;
}

function hopsOf(message: Outgoing): number {
  return message.kind === "event" ? (message.content.hops ?? 0) : 0;
}

function toHeaders(given: Readonly<Record<string, string | number | boolean>>): Record<string, string> {
  return Object.fromEntries(Object.entries(given).map(([name, value]) => [name.toLowerCase(), String(value)]));
}
