/** Where the tasks of a flow lead, as they are written, and which of that a draft may not do. */
import type { Json, JsonObject } from "../../base/json/json.ts";
import type { TaskTypeName } from "../../tasks/define.ts";
import { DEFAULT_TOPIC } from "../../tasks/queue.ts";
import { DEFAULT_QUEUE } from "../../tasks/worker.ts";
import { isReservedFlowId } from "../builtin/ids.ts";
import type { Path } from "../document/parse.ts";
import type { Problems } from "../document/problems.ts";
import type { FlowDocument } from "../document/schema.ts";
import { holdsExpression } from "../interpolation/template.ts";
import { type ViewedTask, viewFlow } from "../warnings/view.ts";
import { type TaskPlace, wordOf } from "./allowed.ts";

/** Where a task leads; a text: why that cannot be told. */
type Reach = TaskPlace | string | null;

/** Adds a problem for each task that leads elsewhere than allowed. The document has passed all other checks. */
export function checkReach(given: JsonObject, allowed: readonly TaskPlace[], problems: Problems): void {
  const document = given as unknown as FlowDocument;
  if (document.workflow.graph !== undefined)
    problems.add(["workflow", "graph"], "a draft consists of tasks or states; a graph may do anything");
  const words = new Set(allowed.map(wordOf));
  const cure = words.size === 0 ? "nothing outside is allowed" : `allowed: ${[...words].join(", ")}`;
  for (const { place, reach } of reachesOf(document)) {
    if (typeof reach === "string") problems.add(place, reach);
    else if (reach !== null && !words.has(wordOf(reach)))
      problems.add(place, `${wordOf(reach)} is not allowed; ${cure}`);
  }
}

/** Where the tasks of a flow lead, as the words of {@link readPlace}, in the order of the document. */
export function listReaches(document: JsonObject): readonly string[] {
  const words = reachesOf(document as unknown as FlowDocument).flatMap(({ reach }) =>
    typeof reach === "object" && reach !== null ? wordOf(reach) : [],
  );
  return [...new Set(words)];
}

function reachesOf(document: FlowDocument): readonly { readonly place: Path; readonly reach: Reach }[] {
  // Children of groups, compensations, and tasks of states are among them.
  return viewFlow(document).tasks.flatMap(reachesOfTask);
}

/** What an expression decides cannot be approved. */
function named(value: Json | undefined, what: string, toPlace: (name: string) => Reach): Reach {
  if (typeof value !== "string") return null;
  return holdsExpression(value) ? `write the ${what} itself; an expression may lead anywhere` : toPlace(value);
}

function reachesOfTask({ type, task, path }: ViewedTask): readonly { readonly place: Path; readonly reach: Reach }[] {
  const given = (task.parameters ?? {}) as JsonObject;
  const at = (key: string, reach: Reach): { readonly place: Path; readonly reach: Reach } => ({
    place: [...path, "parameters", key],
    reach,
  });
  const of =
    (kind: TaskPlace["kind"]) =>
    (name: string): Reach => ({ kind, name });
  switch (type) {
    case "http":
      if (given["service"] !== undefined) return [at("service", named(given["service"], "name", of("service")))];
      return [at("url", originOf(given["url"]))];
    case "worker":
      return [at("queue", named(given["queue"] ?? DEFAULT_QUEUE, "name", of("queue")))];
    case "queue":
      return [at("topic", named(given["topic"] ?? DEFAULT_TOPIC, "name", of("topic")))];
    case "emit":
      return (["topic", "stream", "webhook"] as const).map((key) => at(key, named(given[key], "name", of(key))));
    case "subflow":
      return [at("flow_id", named(given["flow_id"], "id", flowOf))];
    case "data":
    case "exec":
      return [{ place: [...path, "type"], reach: { kind: "type", name: type } }];
    case "ai":
      return [{ place: [...path, "type"], reach: { kind: "type", name: type } }, ...modelsOf(given, at)];
    default:
      return INSIDE[type] === true
        ? []
        : [{ place: [...path, "type"], reach: `tasks of type ${type} are not allowed` }];
  }
}

/** Types that reach nothing. A type that is not named anywhere here is refused. */
const INSIDE: Readonly<Partial<Record<TaskTypeName, true>>> = {
  transform: true,
  condition: true,
  parallel: true,
  map: true,
  wait: true,
  signal: true,
  approval: true,
  noop: true,
};

function flowOf(name: string): Reach {
  return isReservedFlowId(name) ? `the flow ${name} belongs to the service` : { kind: "flow", name };
}

/** Whose model is asked is written, too, fallbacks included. */
function modelsOf(
  given: JsonObject,
  at: (key: string, reach: Reach) => { readonly place: Path; readonly reach: Reach },
): readonly { readonly place: Path; readonly reach: Reach }[] {
  const nowhere = (): Reach => null;
  const { fallback } = given;
  const others = Array.isArray(fallback) ? (fallback as readonly JsonObject[]) : [];
  const isComputed = typeof fallback === "string" && holdsExpression(fallback);
  return [
    ...(["provider", "model"] as const).map((key) => at(key, named(given[key], key, nowhere))),
    ...(isComputed ? [at("fallback", named(fallback, "list", nowhere))] : []),
    ...others.flatMap((one) =>
      (["provider", "model"] as const).map((key) => at("fallback", named(one[key], key, nowhere))),
    ),
  ];
}

/** The origin of an address whose path may be computed, but nothing before it. */
function originOf(url: Json | undefined): Reach {
  if (typeof url !== "string") return null;
  const [head = ""] = /^[^$]*/.exec(url) ?? [];
  const isWhole = head.length === url.length;
  // With credentials, or a character that parsers read in their own ways, the host may be another one than it seems.
  const origin = /^(https?:\/\/[^/?#\\@\s]+)([/?#]|$)/i.exec(head);
  if (origin === null || (!isWhole && origin[2] === ""))
    return "write scheme, host, and port themselves, and a slash behind them; an expression there may lead anywhere";
  const parsed = URL.parse(`${origin[1]}/`);
  return parsed === null ? "it is no address" : { kind: "origin", name: parsed.origin };
}
