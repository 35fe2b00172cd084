/** What the calls of a run reach, by the inputs of their tasks. */
import type { Json, JsonObject } from "../../base/json/json.ts";
import type { TaskType, TaskTypeName } from "../../tasks/define.ts";
import { TASK_TYPES } from "../../tasks/index.ts";
import type { PlayedCall } from "./play.ts";

/** Something outside that a call reaches. An empty name: which one is not known. */
export interface Target {
  readonly kind:
    | "service"
    | "address"
    | "model"
    | "flow"
    | "graph"
    | "workers"
    | "topics"
    | "agents"
    | "webhooks"
    | "streams";
  readonly name: string;
}

/** Undefined: it reaches nothing. */
export function targetOf({ type, input }: PlayedCall): Target | undefined {
  const given = input ?? {};
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
  if (leaving === undefined) return undefined;
  const kind = leaving.carrierOf?.(given) ?? leaving.carrier;
  return { kind, name: textOf(leaving.toWork(given).destination) };
}

/** Scheme, host, and port; empty: they are not known. */
function originOf(url: Json | undefined): string {
  return typeof url === "string" && URL.canParse(url) ? new URL(url).origin : "";
}

function textOf(value: Json | undefined): string {
  return typeof value === "string" ? value : "";
}

/** The tasks of a document by id, each with the parameters that it gives without an expression. */
export function readConstants(document: JsonObject): ReadonlyMap<string, JsonObject> {
  const found = new Map<string, JsonObject>();
  const look = (value: Json | undefined): void => {
    if (typeof value !== "object" || value === null) return;
    const { id, type, parameters, tasks, states, task } = value as JsonObject;
    if (typeof id === "string" && typeof type === "string") found.set(id, constantsIn(parameters));
    for (const inner of [tasks, states, parameters, task, ...(Array.isArray(value) ? value : [])]) look(inner);
  };
  look(document["workflow"]);
  return found;
}

function constantsIn(parameters: Json | undefined): JsonObject {
  if (typeof parameters !== "object" || parameters === null) return {};
  return Object.fromEntries(
    Object.entries(parameters).filter(([, value]) => !(JSON.stringify(value) ?? "").includes("${")),
  );
}
