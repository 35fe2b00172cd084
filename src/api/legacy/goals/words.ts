/** The words of this interface, and what they stand for. */
import { GoalPriority, GoalStatus } from "../../../gen/orchestrator/v1/goal_pb.ts";

/** How far a task is. */
export const STATUSES = ["pending", "processing", "completed", "failed", "cancelled"] as const;

/** What begins first. */
export const PRIORITIES = ["low", "medium", "high", "critical"] as const;

/** What the safety service is to this instance. */
export const REFLEX_STATES = ["available", "unavailable", "disabled"] as const;

/** Limits of a task. */
export const MOST = {
  goalCharacters: 32_768,
  items: 100,
  itemCharacters: 4_096,
  costUsd: 1_000_000_000,
  timeSeconds: 31_536_000,
  tokens: 2_147_483_647,
} as const;

const STATUS: ReadonlyMap<GoalStatus, (typeof STATUSES)[number]> = new Map([
  [GoalStatus.PENDING, "pending"],
  [GoalStatus.PROCESSING, "processing"],
  [GoalStatus.COMPLETED, "completed"],
  [GoalStatus.FAILED, "failed"],
  [GoalStatus.CANCELLED, "cancelled"],
]);

const PRIORITY: ReadonlyMap<GoalPriority, (typeof PRIORITIES)[number]> = new Map([
  [GoalPriority.LOW, "low"],
  [GoalPriority.MEDIUM, "medium"],
  [GoalPriority.HIGH, "high"],
  [GoalPriority.CRITICAL, "critical"],
]);

/** The word for a status. */
export function statusOf(status: GoalStatus): string {
  return STATUS.get(status) ?? "pending";
}

/** The word for a priority. */
export function priorityOf(priority: GoalPriority): string {
  return PRIORITY.get(priority) ?? "medium";
}

/** The priority that a word stands for; undefined: it is none. */
export function fromPriority(word: string): GoalPriority | undefined {
  return [...PRIORITY].find(([, each]) => each === word)?.[0];
}
