/** Decides approvals of a watched run: asks the user, or answers as configured. */
import { createInterface } from "node:readline/promises";
import type { ApiClient } from "../api/client/client.ts";
import { isOrchestratorError } from "../base/errors.ts";
import type { Approval } from "../gen/orchestrator/v1/approval_pb.ts";
import { ApprovalDecision } from "../gen/orchestrator/v1/approval_pb.ts";
import { ApprovalService } from "../gen/orchestrator/v1/approval_service_pb.ts";
import { toStderr } from "./terminal/output.ts";
import { paint } from "./terminal/paint.ts";
import type { ProgressView } from "./terminal/progress-view.ts";

/** How approvals of a watched run are answered. */
export const APPROVAL_ANSWERS = ["ask", "approve", "reject", "leave"] as const;

export type ApprovalAnswer = (typeof APPROVAL_ANSWERS)[number];

/** Decides approvals one after the other. */
export interface ApprovalDesk {
  /** Adds an approval that a task waits for. */
  offer(approvalId: string): void;
  /** Cancels the current question; resolves when no more questions are open. */
  close(): Promise<void>;
}

/** Opens the desk. Without a terminal, `ask` rejects with a comment that says so, because nobody could answer. */
export function openApprovalDesk(
  client: ApiClient,
  runId: string,
  answer: ApprovalAnswer,
  view: ProgressView,
): ApprovalDesk {
  const closing = new AbortController();
  let turn = Promise.resolve();
  const decide = async (approvalId: string): Promise<void> => {
    const { approval } = await client.call(ApprovalService.method.getApproval, { runId, approvalId });
    if (approval === undefined || closing.signal.aborted) return;
    const decision = await answerOf(approval, answer, view, closing.signal);
    if (decision === null) return;
    await client.call(ApprovalService.method.decideApproval, {
      runId,
      approvalId,
      decision: decision.approved ? ApprovalDecision.APPROVED : ApprovalDecision.REJECTED,
      comment: decision.comment,
      requestId: crypto.randomUUID(),
    });
    view.say(`${decision.approved ? "approved" : "rejected"}: ${titleOf(approval)}`);
  };
  return {
    offer(approvalId) {
      if (answer === "leave") return;
      turn = turn
        .then(() => decide(approvalId))
        .catch((error: unknown) => {
          // Someone else decided, or the run has ended: the watch shows it.
          if (!closing.signal.aborted) view.say(isOrchestratorError(error) ? error.message : String(error));
        });
    },
    close() {
      closing.abort();
      return turn;
    },
  };
}

interface Answer {
  readonly approved: boolean;
  readonly comment: string;
}

async function answerOf(
  approval: Approval,
  answer: ApprovalAnswer,
  view: ProgressView,
  signal: AbortSignal,
): Promise<Answer | null> {
  if (answer === "approve") return { approved: true, comment: "" };
  if (answer === "reject") return { approved: false, comment: "" };
  if (process.stdin.isTTY !== true || process.stderr.isTTY !== true) {
    view.say(`${titleOf(approval)}: rejected, because there is no terminal to ask in; --yes approves`);
    return { approved: false, comment: "there was no terminal to ask in" };
  }
  const resume = view.pause();
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  // On a terminal readline captures Ctrl-C; the program decides what it does.
  terminal.on("SIGINT", () => process.kill(process.pid, "SIGINT"));
  try {
    toStderr`\n${paint("bold", titleOf(approval), process.stderr)}\n`;
    if (approval.assignees.length > 0) toStderr`asked: ${approval.assignees.join(", ")}\n`;
    for (;;) {
      const said = (await terminal.question("Approve? [y]es, [n]o: ", { signal })).trim().toLowerCase();
      if (said === "y" || said === "yes") return { approved: true, comment: "" };
      if (said === "n" || said === "no") return { approved: false, comment: "" };
    }
  } catch (error) {
    if (signal.aborted) return null;
    throw error;
  } finally {
    terminal.close();
    resume();
  }
}

function titleOf(approval: Approval): string {
  return approval.message === "" ? approval.taskId : approval.message;
}
