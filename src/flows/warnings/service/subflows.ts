import type { Json } from "../../../base/json/json.ts";
import { suggest } from "../../../tasks/schema/suggest.ts";
import type { VariableDocument } from "../../document/schema.ts";
import { holdsExpression } from "../../interpolation/template.ts";
import type { FlowView, ViewedTask } from "../view.ts";
import type { FlowWorld, Report, WarningCheck } from "../warning.ts";

/** Maximum number of different flows that one registration looks up. */
const MAX_LOOKUPS = 100;

/** Warns about child runs that cannot start: the flow is not registered, or the input lacks a required variable. */
export const checkSubflows: WarningCheck = async (view, report, world) => {
  const known = new Map<string, readonly VariableDocument[] | null | undefined>();
  for (const viewed of view.tasks) {
    const { flow_id: flowId, version = "" } = (viewed.task.parameters ?? {}) as Record<string, Json>;
    if (viewed.type !== "subflow" || typeof flowId !== "string" || typeof version !== "string") continue;
    // An expression that is evaluated later.
    if (holdsExpression(flowId) || holdsExpression(version)) continue;
    const key = `${flowId}\n${version}`;
    if (!known.has(key) && known.size < MAX_LOOKUPS) known.set(key, await lookUp(view, flowId, version, world));
    const variables = known.get(key);
    if (variables === null) {
      report(
        "SUBFLOW_UNKNOWN",
        [...viewed.path, "parameters", "flow_id"],
        `flow "${flowId}"${version === "" ? "" : ` version "${version}"`} is not registered`,
        "register it before a run reaches this task, or correct the id",
      );
    } else if (variables !== undefined) checkInput(viewed, flowId, variables, report);
  }
};

async function lookUp(
  { document }: FlowView,
  flowId: string,
  version: string,
  world: FlowWorld | undefined,
): Promise<readonly VariableDocument[] | null | undefined> {
  // A flow that starts itself runs the version that is currently being registered.
  if (flowId === document.id && (version === "" || version === document.version)) return document.variables ?? [];
  return world?.variablesOf(flowId, version);
}

function checkInput(
  { path, task }: ViewedTask,
  flowId: string,
  variables: readonly VariableDocument[],
  report: Report,
) {
  const input = (task.parameters as Record<string, Json>)["input"] ?? {};
  if (typeof input !== "object" || input === null || Array.isArray(input)) return;
  const place = [...path, "parameters"];
  for (const { name, required, default: fallback } of variables) {
    if (required === true && fallback === undefined && !Object.hasOwn(input, name))
      report(
        "SUBFLOW_INPUT_INVALID",
        place,
        `flow "${flowId}" requires the variable "${name}", and input does not give it`,
        `add ${name} to input`,
      );
  }
  const names = variables.map(({ name }) => name);
  for (const name of Object.keys(input)) {
    if (!names.includes(name))
      report(
        "SUBFLOW_INPUT_INVALID",
        [...place, "input", name],
        `flow "${flowId}" has no variable "${name}"${suggest(name, names)}`,
        "rename it or remove it: a run refuses variables that its flow does not declare",
      );
  }
}
