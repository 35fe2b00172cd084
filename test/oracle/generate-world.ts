/** Random worlds: what attempts do and when, signals, decisions, and the hands of an operator. */
import type { FlowDoc, Json, WorkDoc } from "./document.ts";
import { ERROR_TYPES, SIGNAL_NAMES } from "./generate-work.ts";
import type { Random } from "./random.ts";
import { type AttemptEnd, type AttemptScript, createWorld, type HandOverScript, type World } from "./world.ts";

/** The longest list in the variable `list`, and the most children that are scripted. */
export const MAX_LIST = 4;

/** Deaths of owners in one world. However many there are, none is held against a run by the machine itself. */
const MAX_CRASHES = 5;

/** A world for the flow. */
export function generateWorld(random: Random, flow: FlowDoc): World {
  const list = Array.from({ length: random.int(0, MAX_LIST) }, () => random.int(0, 9));
  const world = createWorld({ variables: { x: random.int(0, 9), list } });
  const { tasks = [], states = [], compensations = [] } = flow.workflow;
  const undone = new Set(tasks.map((task) => task.compensate_with));
  const undoOf = ({ compensate_with: id }: { compensate_with?: string }): WorkDoc | undefined =>
    [...tasks, ...compensations].find((task) => task.id === id);
  for (const task of tasks) {
    if (!undone.has(task.id)) scriptWork(random, world, task.id, task);
    const undo = undoOf(task);
    if (undo !== undefined) scriptCompensation(random, world, `${task.id}~compensate`, undo);
  }
  for (const state of states) {
    if (state.task === undefined) continue;
    for (const path of [state.id, `${state.id}~1`, `${state.id}~2`])
      if (random.chance(0.6)) scriptWork(random, world, path, state.task);
    const undo = undoOf(state);
    if (undo !== undefined) {
      const path = undo.type === "approval" ? `${state.id}~1~compensate` : `${state.id}~compensate`;
      scriptCompensation(random, world, path, undo);
    }
  }
  for (let count = random.int(0, 6); count > 0; count--) {
    const at = random.chance(0.25) ? 0 : random.int(1, 40_000);
    world.signals.push({
      at,
      name: random.pick(SIGNAL_NAMES),
      payload: random.chance(0.2) ? random.pick([null, "n", {}]) : { n: random.int(0, 9) },
    });
  }
  if (random.chance(0.08)) world.startDelayMs = random.int(1, 15_000);
  addCommands(random, world);
  return world;
}

function scriptWork(random: Random, world: World, path: string, doc: WorkDoc): void {
  if (doc.type === "subflow") {
    world.attempts[path] = Array.from({ length: random.int(1, 4) }, () => generateChildRun(random));
  } else if (doc.type === "noop" || doc.type === "worker") {
    world.attempts[path] = Array.from({ length: random.int(1, 4) }, () => generateAttempt(random, doc));
    world.jitter[path] = Array.from({ length: 4 }, () => random.int(0, 999) / 1_000);
  } else if (doc.type === "approval") {
    const visits = path.includes("~") || random.chance(0.7) ? [path] : [`${path}~1`, `${path}~2`];
    for (const visit of visits) {
      for (let count = random.int(0, 2); count > 0; count--) addDecision(random, world, visit);
    }
  } else if (doc.type === "parallel") {
    const docs = (doc.parameters?.tasks ?? []) as unknown as WorkDoc[];
    docs.forEach((child, index) => {
      scriptWork(random, world, `${path}.${index}`, child);
    });
  } else if (doc.type === "map") {
    for (let index = 0; index <= MAX_LIST; index++)
      scriptWork(random, world, `${path}.${index}`, doc.parameters?.task as unknown as WorkDoc);
  }
}

function addDecision(random: Random, world: World, path: string): void {
  const decision: World["decisions"][number] = { at: random.int(1, 40_000), path, approved: random.chance(0.6) };
  if (random.chance(0.5)) decision.by = "ann";
  if (random.chance(0.3)) decision.comment = "as agreed";
  if (random.chance(0.3)) decision.data = { n: random.int(0, 9) } satisfies Json;
  world.decisions.push(decision);
}

function generateAttempt(random: Random, doc: WorkDoc): AttemptScript {
  const script: AttemptScript = {
    durationMs: random.int(1, random.chance(0.2) ? 45_000 : 12_000),
    end: generateEnd(random, doc),
  };
  if (doc.type === "worker") script.handOvers = generateHandOvers(random);
  else if (random.chance(doc.schedule_to_start_timeout === undefined ? 0.08 : 0.4))
    script.deferred = { times: random.int(1, 2), forMs: random.int(1, 6_000), noEffect: random.chance(0.5) };
  if (doc.heartbeat_timeout !== undefined && random.chance(0.6)) script.quietAfterMs = random.int(1, 6_000);
  if (random.chance(0.5)) script.stopsAfterMs = random.int(1, random.chance(0.2) ? 40_000 : 4_000);
  return script;
}

/** Hand-overs of one attempt: most succeed, some are lost again and again. */
function generateHandOvers(random: Random): HandOverScript[] {
  if (random.chance(0.15))
    return Array.from({ length: random.int(2, 6) }, () =>
      random.chance(0.25)
        ? { takenAfterMs: 1, ackAfterMs: 1, ends: { afterMs: random.int(2, 500), how: "handed back" } }
        : generateLoss(random),
    );
  return Array.from({ length: random.int(0, 3) }, () => generateHandOver(random));
}

function generateHandOver(random: Random): HandOverScript {
  const roll = random.next();
  if (roll < 0.25) return generateLoss(random);
  const handOver: HandOverScript = {
    takenAfterMs: random.chance(0.04) ? null : random.chance(0.2) ? 0 : random.int(1, 4_000),
    ackAfterMs: random.int(1, 3_000),
  };
  if (roll < 0.4) handOver.ends = { afterMs: random.int(1, 6_000), how: "handed back" };
  return handOver;
}

function generateLoss(random: Random): HandOverScript {
  const takenAfterMs = random.int(1, 800);
  if (random.chance(0.4)) return { takenAfterMs, ackAfterMs: null };
  const ackAfterMs = random.chance(0.7) ? random.int(1, 1_000) : null;
  return { takenAfterMs, ackAfterMs, ends: { afterMs: random.int(1, 4_000), how: "worker lost" } };
}

function generateChildRun(random: Random): AttemptScript {
  const script: AttemptScript = { durationMs: random.int(1, 12_000), end: { kind: "echo" } };
  const roll = random.next();
  if (roll < 0.3) script.end = { kind: "error", type: random.pick(["E1", "E2", "CANCELED"]), retryable: true };
  else if (roll < 0.35) script.end = { kind: "never" };
  if (random.chance(0.5)) script.stopsAfterMs = random.int(1, random.chance(0.2) ? 40_000 : 4_000);
  return script;
}

function generateEnd(random: Random, doc: WorkDoc): AttemptEnd {
  const roll = random.next();
  if (roll < 0.55) return { kind: "echo" };
  if (roll < 0.6) return { kind: "output", output: { n: random.int(0, 9) } };
  if (roll < 0.66 && (doc.timeout !== undefined || doc.schedule_to_close_timeout !== undefined))
    return { kind: "never" };
  if (roll < 0.67) return { kind: "never" };
  const error: AttemptEnd = { kind: "error", type: random.pick(ERROR_TYPES), retryable: random.chance(0.75) };
  if (random.chance(0.35)) error.noEffect = true;
  return random.chance(0.15) ? { ...error, nextRetryDelayMs: random.int(1, 9_000) } : error;
}

function scriptCompensation(random: Random, world: World, path: string, doc: WorkDoc): void {
  if (doc.type !== "noop" && doc.type !== "worker") {
    scriptWork(random, world, path, doc);
    return;
  }
  const ok: AttemptScript = { durationMs: random.int(1, 3_000), end: { kind: "echo" } };
  const bad: AttemptScript = {
    durationMs: random.int(1, 3_000),
    end: { kind: "error", type: "E1", retryable: random.chance(0.8) },
  };
  const roll = random.next();
  world.attempts[path] = roll < 0.7 ? [ok] : roll < 0.9 ? [bad, ok] : [bad];
  world.jitter[path] = [random.int(0, 999) / 1_000];
}

function addCommands(random: Random, world: World): void {
  const at = (): number => random.int(1, random.chance(0.5) ? 8_000 : 40_000);
  if (random.chance(0.15)) world.commands.push({ at: at(), kind: "cancel", compensate: random.chance(0.7) });
  if (random.chance(0.05)) world.commands.push({ at: at(), kind: "terminate" });
  for (let count = random.chance(0.25) ? random.int(1, 2) : 0; count > 0; count--) {
    const pausedAt = at();
    world.commands.push({ at: pausedAt, kind: "pause" });
    if (random.chance(0.9)) world.commands.push({ at: pausedAt + random.int(1, 30_000), kind: "resume" });
  }
  if (random.chance(0.15)) {
    const heldAt = random.chance(0.5) ? at() : at() + 20_000;
    const hold = random.pick(["budget", "budget", "limit", "quarantine"] as const);
    world.commands.push({ at: heldAt, kind: "hold", hold });
    if (random.chance(0.8)) world.commands.push({ at: heldAt + random.int(1, 30_000), kind: "release", hold });
  }
  for (let count = random.chance(0.25) ? random.int(1, MAX_CRASHES) : 0; count > 0; count--)
    world.commands.push({ at: at(), kind: "crash" });
}
