/**
 * Finds joins that no run can pass: tasks that need both sides of one condition.
 *
 * Each condition with two sides has four cases, the ways in which it can end. One pass down the graph computes for
 * every task the cases in which it certainly does not run; everything else is assumed to go in the task's favor. A task
 * that does not run in any of the four cases of one condition never runs, and no task that can run is reported. Cases
 * are bits: a graph with a thousand conditions costs a few milliseconds.
 */

import type { Path } from "../document/parse.ts";
import type { Problems } from "../document/problems.ts";
import type { TaskDocument } from "../document/schema.ts";
import type { DagGraph } from "./dag-graph.ts";

/**
 * Bits of a condition's cases. A condition that fails under `on_error: continue` opens both sides, so no task is lost
 * and it has no bits.
 */
const IS_TRUE = 0;
const IS_FALSE = 1;
const FAILED = 2;
const NOT_TAKEN = 3;
const CASES = 4;

/** One bit for every case of every condition. */
type Bits = Uint32Array;

interface Node {
  readonly task: TaskDocument;
  readonly path: Path;
  readonly deps: readonly Node[];
  /** The conditions in `deps` that name the task. */
  readonly namedBy: Set<Node>;
  /** First bit of its cases; undefined for everything but conditions with two sides. */
  readonly bit: number | undefined;
  /** Sides of conditions (bits IS_TRUE and IS_FALSE) that lead to the task. */
  reached: Bits;
  /**
   * Cases in which the task does not run, is skipped as NOT_TAKEN, or counts as a failure. The last two are known only
   * for some of the first.
   */
  lost: Bits;
  notTaken: Bits;
  failed: Bits;
}

/** Reports tasks that can never run because they need both sides of one condition. `graph` must have no cycle. */
export function checkJoins(
  entries: readonly (readonly [index: number, task: TaskDocument])[],
  tasksPath: Path,
  graph: DagGraph,
  problems: Problems,
): void {
  const nodes = learnNodes(entries, tasksPath, graph);
  const dead = new Set<Node>();
  for (const node of nodes) {
    const bit = findLostCondition(node.lost);
    if (bit === undefined) continue;
    // A task that waits for one that never runs is only a consequence.
    if (!node.deps.some((dep) => dead.has(dep))) report(node, bit, nodes, problems);
    dead.add(node);
  }
}

/** A target of a condition that never runs on the side that names it. */
export interface OneSidedTarget {
  readonly id: string;
  readonly condition: string;
  readonly side: "on_success" | "on_failure";
  /** The dependency that does not run on that side. */
  readonly needed: string;
  /** Whether `none_failed` would let it run there. */
  readonly tolerable: boolean;
}

/**
 * Returns targets that run only on the other side of their condition, or on neither. The flow has passed
 * {@link checkJoins}.
 */
export function findOneSidedTargets(tasks: readonly TaskDocument[], graph: DagGraph): readonly OneSidedTarget[] {
  const found: OneSidedTarget[] = [];
  for (const node of learnNodes([...tasks.entries()], [], graph)) {
    for (const { bit, task } of node.namedBy) {
      if (bit === undefined) continue;
      for (const [side, end] of [["on_success", IS_TRUE] as const, ["on_failure", IS_FALSE] as const]) {
        if (task[side]?.includes(node.task.id) !== true || !has(node.lost, bit + end)) continue;
        const needed = node.deps.find((dep) => has(dep.lost, bit + end))?.task.id ?? "";
        const tolerable = !has(judge(node, "none_failed").lost, bit + end);
        found.push({ id: node.task.id, condition: task.id, side, needed, tolerable });
      }
    }
  }
  return found;
}

/** Returns every task after its dependencies, with its result in every case. */
function learnNodes(
  entries: readonly (readonly [index: number, task: TaskDocument])[],
  tasksPath: Path,
  graph: DagGraph,
): Node[] {
  const nodes = toNodes(entries, tasksPath, graph);
  const words = Math.ceil((CASES * entries.filter(([, task]) => hasCases(task)).length) / 32);
  for (const node of nodes) learn(node, words);
  return nodes;
}

function report(node: Node, bit: number, nodes: readonly Node[], problems: Problems): void {
  const onTrue = node.deps.find((dep) => has(dep.lost, bit + IS_FALSE))?.task.id ?? "";
  const onFalse = node.deps.find((dep) => has(dep.lost, bit + IS_TRUE))?.task.id ?? "";
  const isWritten = node.task.depends_on?.some((id) => id === onTrue || id === onFalse);
  problems.add(isWritten ? [...node.path, "depends_on"] : node.path, () => {
    const condition = nodes.find((other) => other.bit === bit)?.task.id;
    const closes = judge(node, "none_failed").lost;
    const isHopeless = [IS_TRUE, IS_FALSE, FAILED, NOT_TAKEN].every((end) => has(closes, bit + end));
    const cure = isHopeless
      ? "both name it as their target: take it from one of them"
      : "write trigger_rule: none_failed if it is to run after either";
    return `"${node.task.id}" can never run: it needs "${onTrue}", which runs only when "${condition}" is true, and "${onFalse}", which runs only when it is false; ${cure}`;
  });
}

/** Computes the result of a node in every case from those of its dependencies. */
function learn(node: Node, words: number): void {
  node.reached = new Uint32Array(words);
  node.failed = new Uint32Array(words);
  for (const dep of node.deps) addAll(node.reached, dep.reached);
  for (const { bit, task } of node.namedBy) {
    if (bit !== undefined && task.on_success?.includes(node.task.id)) add(node.reached, bit + IS_TRUE);
    if (bit !== undefined && task.on_failure?.includes(node.task.id)) add(node.reached, bit + IS_FALSE);
  }
  const { lost, notTaken } = judge(node, node.task.trigger_rule ?? "all_success");
  node.lost = lost;
  node.notTaken = notTaken;
  if (node.bit === undefined) return;
  for (const bits of [node.lost, node.failed]) add(bits, node.bit + FAILED);
  for (const bits of [node.lost, node.notTaken]) add(bits, node.bit + NOT_TAKEN);
}

/** Evaluates gates and trigger rules (docs/semantics.md §2), assuming that a task that runs may end in any way. */
function judge(
  { deps, namedBy, reached }: Node,
  rule: NonNullable<TaskDocument["trigger_rule"]>,
): { readonly lost: Bits; readonly notTaken: Bits } {
  const notTaken = new Uint32Array(reached.length);
  const anyLost = new Uint32Array(reached.length);
  const allLost = new Uint32Array(reached.length).fill(deps.length > 0 ? 0xffffffff : 0);
  const anyFailed = new Uint32Array(reached.length);
  for (const dep of deps) {
    addAll(anyLost, dep.lost);
    keepOnly(allLost, dep.lost);
    addAll(anyFailed, dep.failed);
    if (!namedBy.has(dep)) continue;
    addAll(notTaken, dep.notTaken);
    // A skipped condition closes its gate or counts as a failure: `none_failed` passes neither.
    addAll(anyFailed, dep.lost);
    if (dep.bit === undefined) continue;
    for (const side of [IS_TRUE, IS_FALSE]) if (!has(reached, dep.bit + side)) add(notTaken, dep.bit + side);
  }
  // A rule that tolerates skips still needs one success.
  const byRule = { all_success: [anyLost], none_failed: [anyFailed, allLost], all_done: [], one_success: [allLost] }[
    rule
  ];
  const lost = notTaken.slice();
  for (const bits of byRule) addAll(lost, bits);
  return { lost, notTaken };
}

/** Returns every task after its dependencies. */
function toNodes(
  entries: readonly (readonly [index: number, task: TaskDocument])[],
  tasksPath: Path,
  graph: DagGraph,
): Node[] {
  const positions = new Map(entries.map(([, task], position) => [task.id, position]));
  const depsOf = (id: string): number[] =>
    (graph.dependencies.get(id) ?? []).flatMap((dep) => positions.get(dep) ?? []);
  const made: (Node | undefined)[] = entries.map(() => undefined);
  const nodes: Node[] = [];
  const none = new Uint32Array(0);
  let bits = 0;
  const open = [...entries.keys()].reverse();
  for (let position = open.at(-1); position !== undefined; position = open.at(-1)) {
    const [index, task] = entries[position] as (typeof entries)[number];
    const wanted = made[position] === undefined ? depsOf(task.id) : [];
    const missing = wanted.filter((dep) => made[dep] === undefined);
    open.push(...missing);
    if (missing.length > 0) continue;
    open.pop();
    if (made[position] !== undefined) continue;
    const deps = wanted.flatMap((dep) => made[dep] ?? []);
    const isNaming = (dep: Node): boolean =>
      [dep.task.on_success, dep.task.on_failure].some((ids) => ids?.includes(task.id));
    const bit = hasCases(task) ? bits : undefined;
    if (bit !== undefined) bits += CASES;
    const path = [...tasksPath, index];
    const namedBy = new Set(deps.filter(isNaming));
    const node: Node = { task, path, deps, namedBy, bit, reached: none, lost: none, notTaken: none, failed: none };
    made[position] = node;
    nodes.push(node);
  }
  return nodes;
}

function hasCases({ type, on_error, on_success = [], on_failure = [] }: TaskDocument): boolean {
  return type === "condition" && on_error !== "continue" && on_success.length > 0 && on_failure.length > 0;
}

/** Returns the first bit of a condition whose cases are all set. */
function findLostCondition(bits: Bits): number | undefined {
  for (const [index, word] of bits.entries()) {
    const full = word & (word >>> 1) & (word >>> 2) & (word >>> 3) & 0x11111111;
    if (full !== 0) return index * 32 + 31 - Math.clz32(full & -full);
  }
  return undefined;
}

function has(bits: Bits, bit: number): boolean {
  return (((bits[bit >>> 5] ?? 0) >>> (bit & 31)) & 1) === 1;
}

function add(bits: Bits, bit: number): void {
  bits[bit >>> 5] = (bits[bit >>> 5] ?? 0) | (1 << (bit & 31));
}

function addAll(bits: Bits, others: Bits): void {
  for (let word = 0; word < bits.length; word++) bits[word] = (bits[word] ?? 0) | (others[word] ?? 0);
}

function keepOnly(bits: Bits, others: Bits): void {
  for (let word = 0; word < bits.length; word++) bits[word] = (bits[word] ?? 0) & (others[word] ?? 0);
}
