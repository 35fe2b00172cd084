/**
 * Makes a failing case smaller: leaves out whatever can be left out while it still fails. Greedy, largest parts first.
 */
import type { FlowDoc, Json, JsonMap } from "./document.ts";
import type { World } from "./world.ts";

/** A flow in its world. */
export type Case = { flow: FlowDoc; world: World };

type Place = { path: (string | number)[]; size: number };

/**
 * The smallest case found for which `fails` is true. `fails` must be false for cases that make no sense (a flow that is
 * refused). Stops after `maxTries` tries.
 */
export async function shrinkCase(
  start: Case,
  fails: (candidate: Case) => Promise<boolean>,
  maxTries = 3_000,
): Promise<Case> {
  let best = start;
  let tries = 0;
  for (let changed = true; changed; ) {
    changed = false;
    for (const place of placesOf(best)) {
      for (const candidate of candidatesAt(best, place)) {
        if (tries++ >= maxTries) return best;
        if (!(await fails(candidate))) continue;
        best = candidate;
        changed = true;
        break;
      }
      if (changed) break;
    }
  }
  return best;
}

/** Everything that can be left out or made simpler. */
function placesOf(subject: Case): Place[] {
  const places: Place[] = [];
  const walk = (value: Json, path: (string | number)[]): void => {
    places.push({ path, size: JSON.stringify(value).length });
    if (value === null || typeof value !== "object") return;
    const entries = Array.isArray(value) ? [...value.entries()] : Object.entries(value);
    for (const [key, member] of entries) walk(member, [...path, key]);
  };
  walk(subject.flow.workflow as unknown as Json, ["flow", "workflow"]);
  walk(subject.world as unknown as Json, ["world"]);
  return places.filter(({ path }) => path.length > 2).sort((a, b) => b.size - a.size);
}

function candidatesAt(subject: Case, place: Place): Case[] {
  const value = valueAt(subject, place.path);
  const candidates = [changeAt(subject, place.path, undefined)];
  const id = (value as JsonMap | null)?.id;
  if (typeof id === "string" && place.path.length === 4)
    candidates.push(forget(changeAt(subject, place.path, undefined), id));
  if (typeof value === "string" && value.startsWith("${") && !/^\$\{(true|false|1)\}$/.test(value)) {
    for (const simple of ["true", "false", "1"]) candidates.push(changeAt(subject, place.path, `\${${simple}}`));
  }
  return candidates;
}

/** The case without any mention of a task or state that is gone. */
function forget(subject: Case, id: string): Case {
  const clean = (value: Json): Json => {
    if (typeof value === "string") return value.includes(`tasks.${id}.`) || value.includes(`"${id}"`) ? `\${1}` : value;
    if (Array.isArray(value))
      return value.filter((element) => element !== id && (element as JsonMap | null)?.to !== id).map(clean);
    if (value === null || typeof value !== "object") return value;
    const kept = Object.entries(value).filter(([key, member]) => !(key === "compensate_with" && member === id));
    return Object.fromEntries(kept.map(([key, member]) => [key, clean(member)]));
  };
  return clean(subject as unknown as Json) as unknown as Case;
}

function valueAt(subject: Case, path: (string | number)[]): Json {
  let value = subject as unknown as Json;
  for (const key of path) value = (value as JsonMap)[key] ?? null;
  return value;
}

function changeAt(subject: Case, path: (string | number)[], replacement: Json | undefined): Case {
  const copy = structuredClone(subject);
  const parent = valueAt(copy, path.slice(0, -1)) as JsonMap | Json[];
  const key = path.at(-1) ?? "";
  if (replacement !== undefined) (parent as JsonMap)[key] = replacement;
  else if (Array.isArray(parent)) parent.splice(Number(key), 1);
  else delete parent[key];
  return copy;
}
