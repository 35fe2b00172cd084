/**
 * One attempt of a graph, inside a worker. The first attempt begins with the input; every later one resumes from the
 * newest checkpoint, and nodes whose writes are stored do not run again.
 *
 * A graph that calls `interrupt(value)` ends the attempt as suspended, with a key that identifies this interrupt: the
 * id that LangGraph assigns to the interrupted task, and the number of answers that task has had. An answer is passed
 * to the graph only if its key belongs to an interrupt that is still open, so an answer that arrives twice (after a
 * crash between its use and the next record) is used once.
 */
import { Command, GraphRecursionError, INTERRUPT } from "@langchain/langgraph";
import { isOrchestratorError } from "../../base/errors.ts";
import { decodeValue, toPlainJson } from "./codec.ts";
import type { GraphEnd, RunGraph } from "./protocol.ts";
import { type SaverStore, StoreSaver } from "./saver.ts";

/**
 * The parts of a compiled graph that are used. The module may bring its own copy of LangGraph, so only the shape is
 * checked.
 */
export interface CompiledGraph {
  checkpointer?: unknown;
  readonly interruptBefore?: unknown;
  readonly interruptAfter?: unknown;
  invoke(input: unknown, config: object): Promise<unknown>;
  getState(config: object): Promise<{ readonly next: readonly string[] }>;
}

const RESUME = "__resume__";

/** True for compiled graphs of LangGraph. */
export function isCompiledGraph(value: unknown): value is CompiledGraph {
  const graph = value as { lg_is_pregel?: unknown; invoke?: unknown; getState?: unknown } | null;
  return (
    typeof graph === "object" &&
    graph !== null &&
    graph.lg_is_pregel === true &&
    typeof graph.invoke === "function" &&
    typeof graph.getState === "function"
  );
}

/** Runs the graph until it ends, fails, or asks a question. Never rejects. */
export async function runGraph(
  graph: CompiledGraph,
  request: RunGraph,
  store: SaverStore,
  signal: AbortSignal,
): Promise<GraphEnd> {
  try {
    return await attempt(graph, request, store, signal);
  } catch (error) {
    return toFailure(error);
  }
}

async function attempt(
  graph: CompiledGraph,
  request: RunGraph,
  store: SaverStore,
  signal: AbortSignal,
): Promise<GraphEnd> {
  const { threadId, maxSteps } = request;
  const saver = new StoreSaver(store);
  graph.checkpointer = saver;
  const place = { configurable: { thread_id: threadId } };
  const input = (await saver.getTuple(place)) === undefined ? request.input : await toResume(request, store);
  const result = await graph.invoke(input, { ...place, signal, recursionLimit: maxSteps, durability: "sync" });

  const asked = interruptsOf(result);
  const [first] = asked;
  if (first !== undefined) {
    const answered = await countAnswers(store, threadId);
    const value = JSON.stringify(toPlainJson(first.value, "interrupt"));
    return { kind: "suspended", key: `${first.id}:${answered.get(first.id) ?? 0}`, value };
  }
  const { next } = await graph.getState(place);
  if (next.length > 0) {
    const message = `the graph stopped before ${next.join(", ")}: breakpoints are not supported, call interrupt() in the node`;
    return { kind: "failed", type: "GRAPH_BREAKPOINT", message, retryable: false };
  }
  return { kind: "completed", output: JSON.stringify(toPlainJson(result, "output")) };
}

/**
 * Returns the input of a later attempt: the answer if its interrupt is still open, else null to resume from the
 * checkpoint.
 */
async function toResume({ answer, threadId }: RunGraph, store: SaverStore): Promise<Command | null> {
  if (answer === null) return null;
  const separator = answer.key.lastIndexOf(":");
  const id = answer.key.slice(0, separator);
  const answered = (await countAnswers(store, threadId)).get(id);
  if (answered === undefined || String(answered) !== answer.key.slice(separator + 1)) return null;
  return new Command({ resume: { [id]: answer.value } });
}

/** Returns the number of answers that the task of each interrupt ever raised in the thread has had. */
async function countAnswers(store: SaverStore, threadId: string): Promise<Map<string, number>> {
  const interrupts = new Map<string, Set<string>>();
  const answers = new Map<string, number>();
  for (const { taskId, channel, value } of await store.listWrites(threadId, [INTERRUPT, RESUME])) {
    const decoded = decodeValue(value, channel);
    if (channel === RESUME) {
      answers.set(taskId, Array.isArray(decoded) ? decoded.length : 1);
      continue;
    }
    for (const id of idsOf(decoded)) interrupts.set(id, (interrupts.get(id) ?? new Set()).add(taskId));
  }
  const counts = new Map<string, number>();
  // An interrupt inside a subgraph is also recorded by the task that contains the subgraph; only the inner task has the
  // answers.
  for (const [id, tasks] of interrupts)
    counts.set(id, Math.max(...Array.from(tasks, (taskId) => answers.get(taskId) ?? 0)));
  return counts;
}

interface Interrupt {
  readonly id: string;
  readonly value: unknown;
}

function interruptsOf(result: unknown): readonly Interrupt[] {
  const list: unknown = (result as Record<string, unknown> | null | undefined)?.[INTERRUPT];
  return Array.isArray(list) ? list.filter(isInterrupt) : [];
}

function idsOf(written: unknown): readonly string[] {
  const list: readonly unknown[] = Array.isArray(written) ? written : [written];
  return list.filter(isInterrupt).map(({ id }) => id);
}

function isInterrupt(value: unknown): value is Interrupt {
  return typeof value === "object" && value !== null && typeof (value as Partial<Interrupt>).id === "string";
}

/**
 * Converts the error of a node. Its `code` or class name is the type that flows match; `retryable: false` on it means
 * that another attempt will not help.
 */
function toFailure(error: unknown): GraphEnd {
  if (isOrchestratorError(error))
    return { kind: "failed", type: error.code, message: error.message, retryable: error.retry !== "no" };
  if (error instanceof GraphRecursionError) {
    return { kind: "failed", type: "GRAPH_TOO_MANY_STEPS", message: error.message, retryable: false };
  }
  const { message, name, code, retryable } = (error ?? {}) as Record<string, unknown>;
  const problem = typeof message === "string" ? message : String(error);
  return {
    kind: "failed",
    type: typeOf(code) ?? typeOf(name) ?? "GRAPH_FAILED",
    message: problem.slice(0, 2_000).toWellFormed(),
    retryable: retryable !== false,
  };
}

function typeOf(name: unknown): string | null {
  if (typeof name !== "string" || name === "Error" || !/^[A-Za-z][A-Za-z0-9_]{0,63}$/.test(name)) return null;
  return name.replaceAll(/([a-z0-9])([A-Z])/g, "$1_$2").toUpperCase();
}
