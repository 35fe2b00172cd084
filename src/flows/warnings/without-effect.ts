import { TASK_TYPES } from "../../tasks/index.ts";
import type { Path } from "../document/parse.ts";
import type { FlowDocument, RetryDocument, TaskDocument } from "../document/schema.ts";
import type { FlowView } from "./view.ts";
import type { Report, WarningCheck } from "./warning.ts";

/** Warns about keys that are well-formed and change nothing where they stand. */
export const checkKeysHaveAnEffect: WarningCheck = (view, report) => {
  const say: Say = (path, why, cure) =>
    report("KEY_WITHOUT_EFFECT", path, `${String(path.at(-1))} has no effect${why}`, cure);
  checkNames(view.document, say);
  checkRequired(view.document, say);
  checkTriggerRules(view.document, say);
  checkRetries(view, say);
  checkExits(view.document, say);
  checkCompensations(view, report);
};

/** Reports that the last key of a path has no effect; `why` continues that sentence. */
type Say = (path: Path, why: string, cure: string) => void;

/** The flow and its workflow have one id, one name, and one description: those of the flow. */
function checkNames({ id, name, description, workflow }: FlowDocument, say: Say): void {
  if (workflow.id !== undefined)
    say(
      ["workflow", "id"],
      workflow.id === id ? ": it repeats the id of the flow" : `: the id of the flow is "${id}"`,
      "remove it",
    );
  if (workflow.name !== undefined && name !== undefined)
    say(["workflow", "name"], ": the flow has a name of its own", "remove it");
  if (workflow.description !== undefined)
    say(
      ["workflow", "description"],
      "",
      description === undefined ? "move it next to the id of the flow" : "remove it",
    );
}

function checkRequired({ variables }: FlowDocument, say: Say): void {
  for (const [index, variable] of (variables ?? []).entries())
    if (variable.required === true && variable.default !== undefined)
      say(
        ["variables", index, "required"],
        `: a start that omits "${variable.name}" gets its default`,
        "remove required, or the default",
      );
}

function checkTriggerRules({ workflow }: FlowDocument, say: Say): void {
  const tasks = workflow.tasks ?? [];
  const targets = new Set(tasks.flatMap((task) => [...(task.on_success ?? []), ...(task.on_failure ?? [])]));
  for (const [index, task] of tasks.entries())
    if (task.trigger_rule !== undefined && !dependsOnAnything(task, targets))
      say(
        ["workflow", "tasks", index, "trigger_rule"],
        `: "${task.id}" depends on no task, so it runs at once`,
        "name the tasks that it waits for in depends_on, or remove it",
      );
}

function dependsOnAnything({ id, depends_on: dependencies }: TaskDocument, targets: ReadonlySet<string>): boolean {
  return targets.has(id) || (dependencies ?? []).length > 0;
}

const ONLY_BETWEEN_ATTEMPTS = [
  "backoff_type",
  "initial_delay",
  "max_delay",
  "multiplier",
  "non_retryable",
] as const satisfies readonly (keyof RetryDocument)[];

function checkRetries({ document, tasks }: FlowView, say: Say): void {
  const policies = tasks.map(({ task, path }) => ({ policy: task.retry_policy, path }));
  for (const { policy, path } of [...policies, { policy: document.workflow.retry_policy, path: ["workflow"] }]) {
    if (policy?.max_retries !== 0) continue;
    for (const key of ONLY_BETWEEN_ATTEMPTS)
      if (policy[key] !== undefined)
        say(
          [...path, "retry_policy", key],
          ": with max_retries 0 there is one attempt",
          "remove it, or raise max_retries",
        );
  }
}

/** Exits of a state that come after one that is always taken before them. */
function checkExits({ workflow }: FlowDocument, say: Say): void {
  for (const [index, state] of (workflow.states ?? []).entries()) {
    const path: Path = ["workflow", "states", index];
    const caught = new Set<string>();
    for (const [at, { match }] of (state.on_error ?? []).entries()) {
      const types = match === undefined ? ["*"] : [match].flat();
      if (caught.has("*") || types.every((type) => caught.has(type)))
        say(
          [...path, "on_error", at, "to"],
          ": entries before this one match the same errors",
          "put it before them, or remove it",
        );
      for (const type of types) caught.add(type);
    }
    const taken = new Set<string>();
    for (const [at, { signal, when }] of (state.on ?? []).entries()) {
      if (taken.has(signal))
        say(
          [...path, "on", at, "to"],
          `: an entry before this one takes every signal "${signal}"`,
          "put it before that entry, or remove it",
        );
      if (when === undefined || when === true) taken.add(signal);
    }
  }
}

/** A task that is evaluated in the transition of the run itself changes nothing that could be undone. */
function checkCompensations({ document, byId }: FlowView, report: Report): void {
  const { tasks, states } = document.workflow;
  for (const [list, entries] of [
    ["tasks", tasks ?? []],
    ["states", states ?? []],
  ] as const)
    for (const [index, { id, compensate_with: undo }] of entries.entries()) {
      const type = byId.get(id)?.type;
      if (undo === undefined || type === undefined || TASK_TYPES[type].effect !== "pure") continue;
      report(
        "COMPENSATES_NOTHING",
        ["workflow", list, index, "compensate_with"],
        `"${undo}" undoes "${id}", but a task of type ${type} changes nothing`,
        "name it in the task whose effect it undoes",
      );
    }
}
