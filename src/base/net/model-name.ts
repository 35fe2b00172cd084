/** Names of models, and when two of them are one to a provider. */

/** For errors: what a name may not hold. */
export const MODEL_NAME_RULE = "a name of a model has no blanks, control characters, or invisible characters";

const UNSEEN = /[\s\p{C}\p{Z}\p{Default_Ignorable_Code_Point}]/u;

/** Whether a model can have the name: every character of it is seen. */
export function isModelName(text: string): boolean {
  return text !== "" && !UNSEEN.test(text);
}

/**
 * The one form of `provider/model` that all its spellings have which a provider may take for the same: without case,
 * width, characters that are not seen, and steps of a path that lead nowhere.
 */
export function canonicalModel(name: string): string {
  const seen = name.normalize("NFKC").replaceAll(new RegExp(UNSEEN, "gu"), "").toLowerCase().normalize("NFKC");
  const steps: string[] = [];
  for (const step of seen.split("/")) {
    if (step === "..") steps.pop();
    else if (step !== "" && step !== ".") steps.push(step);
  }
  return steps.join("/");
}

/** The one of `known` that the name is a spelling of; the name itself if there is none. */
export function knownModel(name: string, known: { has(name: string): boolean; keys(): Iterable<string> }): string {
  if (known.has(name)) return name;
  const canonical = canonicalModel(name);
  for (const one of known.keys()) if (canonicalModel(one) === canonical) return one;
  return name;
}
