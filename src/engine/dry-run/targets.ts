/** What the calls of a run reach, by the inputs of their tasks. */
import { isJsonObject, type Json } from "../../base/json/json.ts";
import type { TaskType, TaskTypeName } from "../../tasks/define.ts";
import { TASK_TYPES } from "../../tasks/index.ts";
import type { PlayedCall, Target } from "../ports/dry-run/dry-runs.ts";

/** Null: it reaches nothing. */
export function targetOf({ type, input, reserve }: Pick<PlayedCall, "type" | "input" | "reserve">): Target | null {
  const given = input ?? {};
  if (reserve !== null) return { kind: "model", name: reserve.model };
  switch (type) {
    case "http":
      if (typeof given["service"] === "string") return { kind: "service", name: given["service"] };
      return { kind: "address", name: originOf(given["url"]) };
    case "subflow":
      return { kind: "flow", name: textOf(given["flow_id"]) };
    case "graph":
      return { kind: "graph", name: textOf(given["graph"]) };
    case "ai":
      if (typeof given["provider"] === "string" || typeof given["model"] === "string")
        return { kind: "model", name: [given["provider"], given["model"]].map(textOf).filter(Boolean).join("/") };
  }
  const { leaving }: TaskType = TASK_TYPES[type as TaskTypeName];
  if (leaving === undefined) return null;
  const kind = leaving.carrierOf?.(given) ?? leaving.carrier;
  return { kind, name: textOf(leaving.toWork(given).destination) };
}

/** Models that are asked if the first one fails. One that names no provider is of the same. */
export function fallbacksOf(
  { type, input }: Pick<PlayedCall, "type" | "input">,
  first: Target | null,
): readonly Target[] {
  const { fallback } = input ?? {};
  if (type !== "ai" || !Array.isArray(fallback)) return [];
  const provider = first?.name.split("/")[0] ?? "";
  return fallback.filter(isJsonObject).map((one) => ({
    kind: "model",
    name: [textOf(one["provider"]) || provider, textOf(one["model"])].filter(Boolean).join("/"),
  }));
}

/** Scheme, host, and port; empty: they are not known. */
function originOf(url: Json | undefined): string {
  return typeof url === "string" && URL.canParse(url) ? new URL(url).origin : "";
}

function textOf(value: Json | undefined): string {
  return typeof value === "string" ? value : "";
}
