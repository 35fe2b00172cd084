/** The setting of the providers of models. */
import { z } from "zod";
import { isModelName, MODEL_NAME_RULE } from "../base/net/model-name.ts";
import { SERVICE_NAME, SERVICE_NAME_RULE } from "../base/net/service-name.ts";
import { secretNameOf } from "../base/secrets/secret-reference.ts";
import { durationWithin, namedEntriesSetting, plainUrl } from "./named-entries.ts";

const REFERENCE = "expected a reference to a secret: secret://name";

const price = z.number({ error: "expected dollars for a million tokens" }).min(0).max(1_000_000);
const count = z.int({ error: "expected a whole number" }).min(1).max(1_000_000_000);

const model = z
  .strictObject({
    input_price_per_mtok: price.optional(),
    output_price_per_mtok: price.optional(),
    cached_input_price_per_mtok: price.optional(),
    max_output_tokens: count.optional(),
    requests_per_minute: count.optional(),
    tokens_per_minute: count.optional(),
  })
  .refine((one) => (one.input_price_per_mtok === undefined) === (one.output_price_per_mtok === undefined), {
    error: "set both prices, or none",
  });

const provider = z
  .strictObject({
    kind: z.enum(["openai", "anthropic"], { error: "expected openai or anthropic" }),
    base_url: plainUrl.optional(),
    api_key: z
      .string({ error: REFERENCE })
      .refine((text) => secretNameOf(text) !== null, { error: REFERENCE })
      .optional(),
    models: z
      .record(z.string().min(1).max(255), model)
      .refine((byName) => Object.keys(byName).every(isModelName), { error: MODEL_NAME_RULE })
      .optional(),
    timeout: durationWithin(1_000, 3_600_000, "expected 1s to 1h").optional(),
  })
  .refine((one) => one.kind !== "openai" || one.base_url !== undefined || one.api_key !== undefined, {
    error: "set api_key, or base_url for a server that wants none",
  });

/** Providers by name: a map, or its JSON. */
export function modelProvidersSetting() {
  return namedEntriesSetting({
    noun: "provider",
    name: SERVICE_NAME,
    nameRule: SERVICE_NAME_RULE,
    entry: provider,
    example: 'anthropic: {kind: anthropic, api_key: "secret://anthropic"}',
  });
}
