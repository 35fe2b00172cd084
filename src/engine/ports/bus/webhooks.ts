/** The port of the requests that carry events to endpoints. */

/** A request to an endpoint. */
export interface WebhookRequest {
  readonly url: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Most time until the answer begins, milliseconds. */
  readonly timeoutMs: number;
}

/** What came of it. */
export type WebhookAnswer =
  | {
      readonly answered: true;
      readonly status: number;
      /** What `Retry-After` asks for, milliseconds; null: nothing. */
      readonly retryAfterMs: number | null;
    }
  /** `isSent`: the request may have arrived. */
  | { readonly answered: false; readonly isSent: boolean; readonly reason: string };

/** Posts; redirects are answers. Never rejects. */
export type PostWebhook = (request: WebhookRequest, signal: AbortSignal) => Promise<WebhookAnswer>;
