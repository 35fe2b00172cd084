/** Events of flows go to the endpoints of webhooks. Nothing is loaded unless the configuration names one. */
import { invariant } from "../../../base/errors.ts";
import type { Log } from "../../../base/log.ts";
import type { Secrets } from "../../../base/secrets/secrets.ts";
import { parseDurationMs } from "../../../base/time/duration.ts";
import type { Config } from "../../../config/settings.ts";
import { eventOf } from "../../../engine/runs/projections/outbox.ts";
import type { Database } from "../../../store/sql/pool.ts";
import type { RunningEngine } from "../engine.ts";
import type { Parts } from "../parts.ts";
import type { Relays } from "./relays.ts";

/** Time for an answer, unless the endpoint says another one, milliseconds. */
const TIMEOUT_MS = 10_000;

export interface WebhookNeeds {
  readonly database: Database;
  readonly engine: RunningEngine;
  readonly secrets: Secrets;
  readonly relays: Relays;
}

/** Sends until the parts close. */
export async function openWebhooks(config: Config, needs: WebhookNeeds, log: Log, parts: Parts): Promise<void> {
  const { endpoints, concurrency, maxAge, maxUnsentMessages: maxMessages, maxUnsentBytes: maxBytes } = config.webhooks;
  if (Object.keys(endpoints).length === 0) return;
  const { database, engine, secrets, relays } = needs;
  const { metrics } = parts;
  const { shards, outboxGates, sharedClock } = engine;
  const { webhooks: gate } = outboxGates;
  invariant(gate !== undefined, "the engine has no gate for webhooks");
  const [{ openWebhookPost }, { createDelivery }, { startEndpointRelay }, { keepOutboxLimits }, { createPlaceOutbox }] =
    await Promise.all([
      import("../../../tools/http/post-webhook.ts"),
      import("../../../bus/webhooks/delivery.ts"),
      import("../../../bus/webhooks/endpoint-relay.ts"),
      import("../../../bus/outbox-limits.ts"),
      import("../../../store/bus/outbox.ts"),
    ]);
  const { post, close } = openWebhookPost({ allowPrivate: false, allow: config.http.allow });
  parts.onClose(close);
  const nudges = new Map<string, () => void>();
  for (const [name, { url, secret, headers = {}, timeout }] of Object.entries(endpoints)) {
    const timeoutMs = timeout === undefined ? TIMEOUT_MS : parseDurationMs(timeout);
    const outbox = createPlaceOutbox(database, "webhook", name, outboxGates.topics !== undefined, relays.listHeld);
    const limits = keepOutboxLimits({ outbox, gate: gate.of(name), maxMessages, maxBytes, log });
    parts.onClose(() => limits.stop());
    const relay = startEndpointRelay({
      ...{ name, outbox, shards, concurrency, maxAgeMs: maxAge, log, listHeld: relays.listHeld },
      deliver: createDelivery({ endpoint: { url, secret, headers, timeoutMs }, secrets, post }),
      now: () => sharedClock.now(),
      counted(result, seconds) {
        metrics.counter("orchestrator_webhook_deliveries_total", name, result).add();
        metrics.histogram("orchestrator_webhook_delivery_seconds", name).observe(seconds);
      },
      delivered: (writtenAt) => relays.delivered("webhook", [writtenAt]),
      rejected: (messages) => relays.rejected("webhook", messages),
    });
    parts.onClose(() => relay.stop());
    nudges.set(name, () => {
      relay.nudge();
      limits.nudge();
    });
    for (const text of [secret, ...Object.values(headers)])
      secrets.resolve(text).catch((error: unknown) => log.error("a webhook lacks a secret", { webhook: name, error }));
  }
  const look = (): void => {
    for (const nudge of nudges.values()) nudge();
  };
  engine.observe({
    takenOver: look,
    committed: (run, records) => {
      for (const record of records) {
        const event = eventOf(run, record);
        if (event?.carrier === "webhooks") nudges.get(event.place)?.();
      }
    },
  });
  relays.add(look);
  // Shards that are ours already.
  look();
  log.info("webhooks are used", { endpoints: [...nudges.keys()] });
}
