import type { TaskDocument } from "../document/schema.ts";

/** Dependencies of the tasks of a DAG flow, conditions included. */
export interface DagGraph {
  /** Direct dependencies of each task: `depends_on` first, then the conditions that name it, in document order. */
  readonly dependencies: ReadonlyMap<string, readonly string[]>;
  /** Whether a task depends on another, directly or indirectly. Only for graphs without cycles. */
  dependsOn(id: string, other: string): boolean;
}

/** Builds the dependency graph; dangling references are left out. */
export function dagGraph(tasks: readonly TaskDocument[]): DagGraph {
  const found = new Map<string, Set<string>>();
  for (const task of tasks) if (typeof task.id === "string") found.set(task.id, new Set());
  const add = (id: string, dependency: string): void => {
    if (found.has(dependency)) found.get(id)?.add(dependency);
  };
  for (const task of tasks) for (const dependency of task.depends_on ?? []) add(task.id, dependency);
  for (const task of tasks)
    for (const target of [...(task.on_success ?? []), ...(task.on_failure ?? [])]) add(target, task.id);
  const dependencies = new Map([...found].map(([id, set]) => [id, [...set]]));
  return { dependencies, dependsOn: lookUpAncestors(dependencies) };
}

/**
 * Stores ancestors as bits, computed on demand: 2,000 tasks that all read a distant one must not cost millions of set
 * entries.
 */
function lookUpAncestors(dependencies: ReadonlyMap<string, readonly string[]>): DagGraph["dependsOn"] {
  const numbers = new Map([...dependencies.keys()].map((id, number) => [id, number]));
  const words = Math.ceil(numbers.size / 32);
  const known = new Map<string, Uint32Array>();
  const ancestorsOf = (start: string): Uint32Array => {
    const open = [start];
    for (let id = open.at(-1); id !== undefined; id = open.at(-1)) {
      const direct = dependencies.get(id) ?? [];
      const missing = direct.filter((dependency) => !known.has(dependency));
      if (missing.length > 0 && !known.has(id)) {
        open.push(...missing);
        continue;
      }
      open.pop();
      if (known.has(id)) continue;
      const bits = new Uint32Array(words);
      for (const dependency of direct) {
        const number = numbers.get(dependency) ?? 0;
        bits[number >>> 5] = (bits[number >>> 5] ?? 0) | (1 << (number & 31));
        const inherited = known.get(dependency);
        if (inherited !== undefined)
          for (let word = 0; word < words; word++) bits[word] = (bits[word] ?? 0) | (inherited[word] ?? 0);
      }
      known.set(id, bits);
    }
    return known.get(start) ?? new Uint32Array(words);
  };
  return (id, other) => {
    if (dependencies.get(id)?.includes(other)) return true;
    const number = numbers.get(other);
    return number !== undefined && ((ancestorsOf(id)[number >>> 5] ?? 0) & (1 << (number & 31))) !== 0;
  };
}

/**
 * Returns one cycle as a list of ids that begins and ends with the same id, in the direction of execution; undefined if
 * there is none.
 */
export function findCycle(graph: DagGraph): readonly string[] | undefined {
  const done = new Set<string>();
  for (const start of graph.dependencies.keys()) {
    if (done.has(start)) continue;
    const path: string[] = [];
    const onPath = new Set<string>();
    const stack: { id: string; next: number }[] = [{ id: start, next: 0 }];
    path.push(start);
    onPath.add(start);
    while (stack.length > 0) {
      const frame = stack[stack.length - 1] as { id: string; next: number };
      const dependency = graph.dependencies.get(frame.id)?.[frame.next++];
      if (dependency === undefined) {
        stack.pop();
        path.pop();
        onPath.delete(frame.id);
        done.add(frame.id);
      } else if (onPath.has(dependency)) {
        return [...path.slice(path.indexOf(dependency)), dependency].reverse();
      } else if (!done.has(dependency)) {
        stack.push({ id: dependency, next: 0 });
        path.push(dependency);
        onPath.add(dependency);
      }
    }
  }
  return undefined;
}
