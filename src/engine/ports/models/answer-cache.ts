/** Answers of models that may be given again. A cache that is away has no answers. */
import type { Json } from "../../../base/json/json.ts";

/** An answer that was complete. */
export interface KeptAnswer {
  readonly content: Json;
  readonly finishReason: string | null;
}

/** Answers by tenant: none is ever given to another one. */
export interface AnswerCache {
  /** Null: there is none, or it is too old. Errors: those of the store. */
  find(tenantId: string, key: string): Promise<KeptAnswer | null>;
  /** Keeps an answer for `ttlMs`. Errors: those of the store. */
  keep(tenantId: string, key: string, answer: KeptAnswer, ttlMs: number): Promise<void>;
}
