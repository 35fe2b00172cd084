/** Decides approvals of a run that a terminal watches: asks the person in front of it, or answers as it was told. */
import { createInterface } from "node:readline/promises";
import type { ApiClient } from "../api/client/client.ts";
import { isOrchestratorError } from "../base/errors.ts";
import type { Approval } from "../gen/orchestrator/v1/approval_pb.ts";
import { ApprovalDecision } from "../gen/orchestrator/v1/approval_pb.ts";
import { ApprovalService } from "../gen/orchestrator/v1/approval_service_pb.ts";
import { toStderr } from "./terminal/output.ts";
import { paint } from "./terminal/paint.ts";
import type { ProgressView } from "./terminal/progress-view.ts";

/** What becomes of approvals while a run is watched. */
export const APPROVAL_ANSWERS = ["ask", "approve", "reject", "leave"] as const;

/** One of {@link APPROVAL_ANSWERS}. */
export type ApprovalAnswer = (typeof APPROVAL_ANSWERS)[number];

/** Takes approvals and decides them one after the other. */
export interface ApprovalDesk {
  /** A task waits for this approval. */
  offer(approvalId: string): void;
  /** Gives up the question that stands; resolves when nothing is asked any more. */
  close(): Promise<void>;
}

/** Opens the desk. Without a terminal `ask` rejects with a comment that says so: nobody would ever answer. */
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
          // Somebody else decided, or the run ended meanwhile: the watch shows it.
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
  // On a terminal the interface takes Ctrl-C for itself; the program decides what it means.
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
