/**
 * What a draft may reach, in words: `data`, `ai`, and `exec` are types of tasks, a bare name is a service of `http`
 * tasks, and other places have a kind in front.
 */
import { fail } from "../../base/errors.ts";
import { SERVICE_NAME, SERVICE_NAME_RULE } from "../../base/net/service-name.ts";
import { suggest } from "../../tasks/schema/suggest.ts";
import { isReservedFlowId } from "../builtin/ids.ts";
import type { Served } from "../check/unserved.ts";

/** Task types that are allowed as a whole. */
const AGENT_TYPES = ["data", "ai", "exec"] as const;

/** Kinds of places, as a word writes them in front of the name. */
const KINDS = ["service", "queue", "topic", "stream", "webhook", "flow"] as const;

/** One of them; `type` is one of `data`, `ai`, and `exec`, `origin` the beginning of an address. */
export type PlaceKind = (typeof KINDS)[number] | "type" | "origin";

/** Somewhere that a task leads to. */
export interface TaskPlace {
  readonly kind: PlaceKind;
  readonly name: string;
}

/** A place in words: what {@link readPlace} reads. */
export function wordOf({ kind, name }: TaskPlace): string {
  if (kind === "type" || kind === "origin") return name;
  return kind === "service" && !isType(name) ? name : `${kind}:${name}`;
}

/** Reads one word. Null: it is none. */
export function readPlace(word: string): TaskPlace | null {
  if (isType(word)) return { kind: "type", name: word };
  if (/^https?:\/\//i.test(word)) {
    const url = URL.parse(word);
    // Nothing but the origin: a path would promise a bound that is not checked.
    return url === null || `${url.origin}/` !== url.href ? null : { kind: "origin", name: url.origin };
  }
  const [head = "", name] = word.split(/:(.*)/s);
  if (name === undefined) return SERVICE_NAME.test(head) ? { kind: "service", name: head } : null;
  const kind = KINDS.find((one) => one === head);
  return kind === undefined || name === "" ? null : { kind, name };
}

/**
 * Reads what a request names, and refuses what this service does not have: the model could not write a flow with it.
 * Error: REQUIRED_SERVICE_INVALID for the first one.
 */
export function readRequired(words: readonly string[], served: Served): readonly TaskPlace[] {
  return words.map((word, index) => {
    const place = readPlace(word) ?? refuse(index, complaintOf(word));
    const missing = missingOf(place, served);
    return missing === null ? place : refuse(index, missing);
  });
}

function refuse(index: number, problem: string): never {
  const field = `required_services[${index}]`;
  return fail("REQUIRED_SERVICE_INVALID", { field, problem }, { violations: [{ field, description: problem }] });
}

function complaintOf(word: string): string {
  const shown = word.slice(0, 100);
  if (/^https?:/i.test(word)) return `"${shown}" is no origin; write scheme, host, and port: https://api.example.com`;
  if (word.includes(":")) return `"${shown}" has an unknown kind; known: ${KINDS.map((kind) => `${kind}:`).join(", ")}`;
  return `"${shown}" is not the name of a service: ${SERVICE_NAME_RULE}`;
}

/** Why no task can lead there; null: one can. */
function missingOf({ kind, name }: TaskPlace, served: Served): string | null {
  switch (kind) {
    case "type":
      return missingType(name, served);
    case "service": {
      if (served.services === null || served.services.has(name)) return null;
      const cure = suggest(name, [...served.services]);
      return `there is no service ${name}${cure || "; put it (orchestrator services put), or name it in routing.services"}`;
    }
    case "webhook":
      return served.webhooks?.has(name) === false ? `webhooks.endpoints has no endpoint ${name}` : null;
    case "stream":
      return served.streams ? null : "Streams need Redis; set redis.url (ORCHESTRATOR_REDIS_URL)";
    case "flow":
      return isReservedFlowId(name) ? `the flow ${name} belongs to the service, whose own calls start it` : null;
    default:
      return null;
  }
}

function missingType(name: string, { agents, models }: Served): string | null {
  const setRedis = "set redis.url (ORCHESTRATOR_REDIS_URL)";
  if (agents || (name === "ai" && (models === null || models.known.size > 0))) return null;
  if (name === "ai")
    return `nobody does tasks of type ai; set models.providers (ORCHESTRATOR_MODELS_PROVIDERS), or ${setRedis}`;
  return `agents do tasks of type ${name} over Redis, and the service has none; ${setRedis}`;
}

function isType(word: string): boolean {
  return AGENT_TYPES.some((type) => type === word);
}
