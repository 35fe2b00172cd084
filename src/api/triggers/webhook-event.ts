/** Webhooks as events: what names them, and what expressions read. */
import { createHash, randomUUID } from "node:crypto";
import { isJsonObject, type Json } from "../../base/json/json.ts";
import { readJsonOrText } from "../../base/json/json-or-text.ts";
import type { TriggerEvent } from "../../flows/triggers/compile-trigger.ts";
import type { WebhookScheme } from "../../flows/triggers/trigger-document.ts";
import { CREDENTIAL_HEADERS, type ReceivedWebhook } from "./signatures.ts";

/** Ids that are longer are hashed, characters. */
const MAX_ID = 256;

/** The event of a webhook that came at `now`. */
export function toWebhookEvent(scheme: WebhookScheme, webhook: ReceivedWebhook, now: number): TriggerEvent {
  const { headers } = webhook;
  const body = readJsonOrText(webhook.body);
  const inBody = (name: string): string | undefined => {
    const value = isJsonObject(body) && Object.hasOwn(body, name) ? body[name] : undefined;
    return typeof value === "string" && value !== "" ? value : undefined;
  };
  const type = scheme === "github" ? headers["x-github-event"] : undefined;
  return {
    id: shortId(idOf(scheme, webhook, inBody("id"))),
    type: type ?? inBody("type") ?? "",
    source: "webhook",
    at: now,
    key: null,
    headers: Object.fromEntries(Object.entries(headers).filter(([name]) => !CREDENTIAL_HEADERS.has(name))) as Json &
      TriggerEvent["headers"],
    body,
  };
}

/** Senders that repeat an event repeat its id. Without one that the scheme knows, equal bodies are one event. */
function idOf(scheme: WebhookScheme, { headers, body }: ReceivedWebhook, bodyId: string | undefined): string {
  const hash = (): string => createHash("sha256").update(body).digest("hex");
  switch (scheme) {
    case "standard-webhooks":
      return headers["webhook-id"] ?? hash();
    case "github":
      return headers["x-github-delivery"] ?? hash();
    case "stripe":
      return bodyId ?? hash();
    case "none":
      // Nothing says that two equal ones are the same.
      return headers["webhook-id"] ?? headers["idempotency-key"] ?? randomUUID();
  }
}

function shortId(id: string): string {
  return id.length <= MAX_ID ? id : createHash("sha256").update(id).digest("hex");
}
