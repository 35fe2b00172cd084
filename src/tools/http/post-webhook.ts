/** Requests that carry events to endpoints: as those of `http` tasks, to addresses that the policy allows. */
import type { PostWebhook } from "../../engine/ports/bus/webhooks.ts";
import { parseRetryAfterMs } from "../retry-after.ts";
import { createAddressPolicy, type HttpToolPolicy } from "./address-policy.ts";
import { AddressRefused, ConnectFailed } from "./guarded-connect.ts";
import { discardBody } from "./http-body.ts";
import { createHttpClient } from "./http-client.ts";
import { failureOutcome } from "./http-failure.ts";
import { parseUrl } from "./http-request.ts";

/** What is read of an answer so that its connection can be used again, bytes. */
const MAX_ANSWER_BYTES = 16_384;

/** Opens what posts; `close` ends idle connections. */
export function openWebhookPost(policy: HttpToolPolicy): { readonly post: PostWebhook; close(): void } {
  const client = createHttpClient(createAddressPolicy(policy));
  return {
    post: async ({ url, headers, body, timeoutMs }, stopping) => {
      const signal = AbortSignal.any([stopping, AbortSignal.timeout(timeoutMs)]);
      try {
        const answer = await client.send(
          { method: "POST", url: parseUrl(url), headers, body },
          { signal, silenceMs: 0 },
        );
        // The status says it all. A body that is broken, slow, or long changes nothing.
        discardBody(answer, MAX_ANSWER_BYTES).catch(() => {});
        const retryAfterMs = parseRetryAfterMs(answer.headers["retry-after"] ?? "", Date.now()) ?? null;
        return { answered: true, status: answer.statusCode ?? 0, retryAfterMs };
      } catch (error) {
        const isSent = !(error instanceof ConnectFailed || error instanceof AddressRefused);
        if (signal.aborted)
          return { answered: false, isSent: true, reason: `no answer came within ${timeoutMs / 1_000} s` };
        const { message } = failureOutcome(error, { where: "POST", answered: false }, signal).error;
        return { answered: false, isSent, reason: message };
      }
    },
    close: () => client.close(),
  };
}
