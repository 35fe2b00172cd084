/**
 * Asks a provider. Failures say whether another attempt may succeed: a busy or broken provider may, one that refuses
 * the question or the key does not. Keys never leave this file: what a provider says about an error is freed of them.
 */
import type { Json } from "../shared/json.ts";
import { AgentError } from "../shared/messages.ts";
import { type Answer, type Provider, type Question, readAnswer, readErrorMessage, toCall } from "./providers.ts";

const MAX_BODY_BYTES = 8 * 1024 * 1024;
const MAX_MESSAGE = 300;
/** A provider that asks for more is asked again after a day. */
const MAX_DELAY_SECONDS = 86_400;

export async function ask(provider: Provider, question: Question, signal: AbortSignal): Promise<Answer> {
  const { url, headers, body } = toCall(provider, question);
  let status: number;
  let retryAfter: string | null;
  let text: string;
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(body),
      // A redirect would carry the key elsewhere.
      redirect: "error",
      signal,
    });
    status = response.status;
    retryAfter = response.headers.get("retry-after");
    text = await readText(response);
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (error instanceof AgentError) throw error;
    const { cause } = error as Error & { readonly cause?: { readonly code?: string; readonly message?: string } };
    const why = cause?.code ?? cause?.message ?? (error as Error).message;
    throw new AgentError("PROVIDER_AWAY", clean(`${provider.name} cannot be reached: ${why}`, provider), {
      retryable: true,
    });
  }
  const json = parse(text);
  if (status >= 200 && status < 300) {
    const answer = json === undefined ? null : readAnswer(provider, json, question.model);
    if (answer !== null) return answer;
    throw new AgentError("PROVIDER_ANSWER_INVALID", `${provider.name} did not answer in the form of its interface`, {
      retryable: true,
    });
  }
  const said = clean((json === undefined ? null : readErrorMessage(json)) ?? "", provider).slice(0, MAX_MESSAGE);
  const message = `${provider.name} answered ${status}${said === "" ? "" : `: ${said}`}`;
  const isBusy = status === 408 || status === 409 || status === 429 || status >= 500;
  const seconds = retryAfter === null ? Number.NaN : toSeconds(retryAfter);
  throw new AgentError(isBusy ? "PROVIDER_BUSY" : "PROVIDER_REFUSED", message, {
    retryable: isBusy,
    details: { status },
    ...(isBusy && seconds >= 0 ? { nextRetryDelaySeconds: seconds } : {}),
  });
}

/** Seconds of a Retry-After header, which is a number of them or a date. */
function toSeconds(text: string): number {
  const number = Number(text);
  const seconds = Number.isNaN(number) ? Math.max(0, Math.ceil((Date.parse(text) - Date.now()) / 1000)) : number;
  return Math.min(seconds, MAX_DELAY_SECONDS);
}

async function readText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES)
      throw new AgentError("OUTPUT_TOO_LARGE", `the provider's answer has more than ${MAX_BODY_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function parse(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

/** Some providers repeat the key, or parts of it, when they refuse it. */
function clean(text: string, { apiKey }: Provider): string {
  const whole = apiKey === "" ? text : text.replaceAll(apiKey, "…");
  return whole.replaceAll(/\b(?:sk|key|pk)-[\w*.-]{4,}/g, "…");
}
