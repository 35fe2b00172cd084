/** Senders of webhooks: they sign as their documents say, with nothing of ours. */
import { createHmac } from "node:crypto";

/** What a receiver answers. */
export interface WebhookAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Record<string, unknown>;
}

export const GITHUB_SECRET = "Its-a-Secret-to-Everybody";
export const STRIPE_SECRET = "whsec_stripe_0123456789";
export const STANDARD_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

const hmac = (key: string | Buffer, text: string) => createHmac("sha256", key).update(text);

/** Headers of a GitHub delivery. */
export function signGithub(body: string, delivery: string, { secret = GITHUB_SECRET, type = "push" } = {}) {
  return {
    "content-type": "application/json",
    "x-github-event": type,
    "x-github-delivery": delivery,
    "x-hub-signature-256": `sha256=${hmac(secret, body).digest("hex")}`,
  };
}

/** Headers of a Stripe event. */
export function signStripe(body: string, { secret = STRIPE_SECRET, at = Date.now(), more = "" } = {}) {
  const time = Math.floor(at / 1_000);
  const signature = hmac(secret, `${time}.${body}`).digest("hex");
  return { "content-type": "application/json", "stripe-signature": `t=${time},${more}v1=${signature}` };
}

/** Headers of a standard webhook. */
export function signStandard(body: string, id: string, { secret = STANDARD_SECRET, at = Date.now(), more = "" } = {}) {
  const time = String(Math.floor(at / 1_000));
  const key = Buffer.from(secret.slice("whsec_".length), "base64");
  const signature = hmac(key, `${id}.${time}.${body}`).digest("base64");
  return {
    "content-type": "application/json",
    "webhook-id": id,
    "webhook-timestamp": time,
    "webhook-signature": `${more}v1,${signature}`,
  };
}

/** Posts a webhook. */
export async function post(
  url: string,
  body: string | Uint8Array,
  headers: Record<string, string>,
): Promise<WebhookAnswer> {
  const answer = await fetch(url, { method: "POST", headers, body });
  const text = await answer.text();
  return {
    status: answer.status,
    headers: answer.headers,
    body: text === "" ? {} : (JSON.parse(text) as Record<string, unknown>),
  };
}
