/** Sizes calls to models before they are made, with the same count that the meter gets. */
import type { ModelEstimates } from "../../engine/ports/models/estimates.ts";
import { conversationOf } from "./conversation.ts";
import { formOf } from "./json-answer.ts";
import { type ModelProviders, targetsOf } from "./providers.ts";
import { sizeOf } from "./usage.ts";

/** Over the providers of a service; null: it has none. */
export function createModelEstimates(providers: ModelProviders | null): ModelEstimates {
  return {
    sizeOf(asked) {
      if (providers === null) return null;
      const targets = targetsOf(asked, providers);
      const [first] = targets;
      if (typeof targets === "string" || typeof first !== "object") return null;
      const form = formOf(asked);
      return sizeOf(first, conversationOf(asked, form), form);
    },
  };
}
