/** The URL of a callback in a request, and out of everything that is kept of it. */
import { CALLBACK_URL } from "../../base/callback-url.ts";
import type { Json } from "../../base/json/json.ts";
import type { Outcome } from "../../engine/ports/tools.ts";

/** Puts the URL wherever a value has the text that stands for it. */
export function putCallbackUrl(value: Json, url: string): Json {
  if (typeof value === "string") return value.replaceAll(CALLBACK_URL, () => url);
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((element: Json) => putCallbackUrl(element, url));
  return Object.fromEntries(
    Object.entries(value).map(([key, part]) => [key.replaceAll(CALLBACK_URL, () => url), putCallbackUrl(part, url)]),
  );
}

/** The outcome with an error that does not tell the URL, which is a credential. */
export function hideCallbackUrl(outcome: Outcome, url: string): Outcome {
  if (outcome.ok) return outcome;
  const secret = url.slice(url.lastIndexOf("/") + 1);
  const hide = (text: string): string =>
    text.replaceAll(url, CALLBACK_URL).replaceAll(encodeURIComponent(url), CALLBACK_URL).replaceAll(secret, "…");
  const { message, details, ...error } = outcome.error;
  // Nothing in a URL is escaped in JSON.
  const shown = details === undefined ? {} : { details: JSON.parse(hide(JSON.stringify(details))) as Json };
  return { ...outcome, error: { ...error, message: hide(message), ...shown } };
}
