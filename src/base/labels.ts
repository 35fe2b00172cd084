/** Rules for the labels of runs, shared by starts, child runs, and reads from the store. */

/** Maximum number of labels of a run. */
export const MAX_LABELS = 32;

/** Maximum length of a label value, characters. */
export const MAX_LABEL_LENGTH = 256;

/** Allowed label keys. */
export const LABEL_KEY = /^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}$/;

/** Labels of runs that were started as executions of workflows, over REST or Redis: lists and limits find them. */
export const EXECUTION_LABELS = { source: "orchestrator.dev/source", template: "orchestrator.dev/template" } as const;

/** The value of the label `source` of all executions. */
export const EXECUTION_SOURCE = "workflows";

/** Label of runs whose flow says how it recovers: the strategy. An index finds those that are open. */
export const RECOVERY_LABEL = "orchestrator.dev/recovery";

/** Label of runs that a trigger has started, with its id. */
export const TRIGGER_LABEL = "orchestrator.dev/trigger";

/** Labels of canaries: what they are, by which an index finds them, and the canary that was acknowledged before. */
export const CANARY_LABELS = { mark: "orchestrator.dev/canary", after: "orchestrator.dev/canary-after" } as const;

/** Label of runs that took the place of another one, with its id. */
export const RESTARTED_LABEL = "restarted_from";

/** Returns what is wrong with a label value, or null when it is valid. */
export function labelProblem(value: unknown): string | null {
  if (typeof value !== "string") return `expected text, got ${nameOf(value)}`;
  if (value.length > MAX_LABEL_LENGTH && [...value].length > MAX_LABEL_LENGTH)
    return `has more than ${MAX_LABEL_LENGTH} characters`;
  if (/[\0\u0001]/.test(value)) return "holds a control character (U+0000 or U+0001)";
  return null;
}

/** Returns what is wrong with the labels of a run, naming the label, or null when they are valid. */
export function labelsProblem(labels: unknown): string | null {
  if (typeof labels !== "object" || labels === null || Array.isArray(labels))
    return `labels: expected an object of texts, got ${nameOf(labels)}`;
  const entries = Object.entries(labels);
  if (entries.length > MAX_LABELS) return `labels: ${entries.length} labels; a run has at most ${MAX_LABELS}`;
  for (const [key, value] of entries) {
    if (!LABEL_KEY.test(key)) return `labels: the key ${JSON.stringify(key.slice(0, 80))} does not match ${LABEL_KEY}`;
    const problem = labelProblem(value);
    if (problem !== null) return `labels.${key}: ${problem}`;
  }
  return null;
}

function nameOf(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "a list" : typeof value;
}
