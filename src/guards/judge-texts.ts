/** Judges the texts of a value by the rules of a policy. */
import type { Json } from "../base/json/json.ts";
import type { Turns } from "../base/time/turns.ts";
import { mapTexts, redact, textsOf } from "./content/redact.ts";
import type { RuleId } from "./content/rules.ts";
import type { ContentScanner } from "./content/scan.ts";
import { scanField } from "./content/scan-field.ts";
import type { TextRules } from "./policy/calls.ts";

/** What a rule has found, and where in the value, as an expression writes it. */
export interface FoundAt {
  readonly rule: RuleId;
  readonly place: string;
}

/** A value with labels in the place of what was found. */
export interface RedactedTexts {
  readonly rules: readonly RuleId[];
  readonly places: readonly string[];
  readonly value: Json;
}

/** What the rules say of a value: it is denied, or what is asked first, and what takes its place. */
export type JudgedTexts =
  | { readonly denied: FoundAt }
  | {
      readonly denied: null;
      readonly asked: readonly FoundAt[];
      /** Null: the value stays. */
      readonly redacted: RedactedTexts | null;
    };

/** Longest place that is shown, characters. */
const MAX_PLACE = 200;

/** Most places of a redaction that are told. */
const MAX_PLACES = 10;

/** Texts that are read at once, if they are short. */
const TEXTS_SLICE = 256;

/** Judges every text, keys included; those are not redacted. `what`: names the value as a whole. */
export function* judgeTexts(value: Json, rules: TextRules, scanner: ContentScanner, what: string): Turns<JudgedTexts> {
  const { withIp, actionOf } = rules;
  // A place has the keys of the value, which may be what a rule looks for.
  const show = (place: string): string => redact(place, scanner.scan(place, { withIp: true })).slice(0, MAX_PLACE);
  const asked: FoundAt[] = [];
  const redacted = new Set<RuleId>();
  const places = new Set<string>();
  let count = 0;
  const hidden = new Map<string, string>();
  for (const one of textsOf(value)) {
    const { text, path } = one;
    count += 1;
    if (count % TEXTS_SLICE === 0) yield;
    const findings = yield* scanField(scanner, one, withIp);
    for (const { rule } of findings) {
      const action = actionOf(rule);
      if (action === "ignore") continue;
      const place = path === "" ? what : show(path);
      if (action === "deny") return { denied: { rule, place } };
      if (action === "ask" && !asked.some((one) => one.rule === rule && one.place === place))
        asked.push({ rule, place });
    }
    const hiding = findings.filter(({ rule }) => actionOf(rule) === "redact");
    if (hiding.length === 0) continue;
    hidden.set(text, redact(text, hiding));
    if (places.size < MAX_PLACES) places.add(path === "" ? what : show(path));
    for (const { rule } of hiding) redacted.add(rule);
  }
  if (hidden.size === 0) return { denied: null, asked, redacted: null };
  const replaced = mapTexts(value, (text) => hidden.get(text) ?? text);
  return { denied: null, asked, redacted: { rules: [...redacted], places: [...places], value: replaced } };
}
