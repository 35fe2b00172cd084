/** Follows a run to its end: shows progress, answers approvals, and handles Ctrl-C. */
import type { ApiClient } from "../api/client/client.ts";
import { isOrchestratorError } from "../base/errors.ts";
import type { Run } from "../gen/orchestrator/v1/run_pb.ts";
import { RunService, type WatchRunResponse } from "../gen/orchestrator/v1/run_service_pb.ts";
import { type ApprovalAnswer, openApprovalDesk } from "./ask-approvals.ts";
import { EXIT } from "./exit-codes.ts";
import { describeEvent } from "./terminal/describe-event.ts";
import { toStderr } from "./terminal/output.ts";
import { RunProgress } from "./terminal/progress.ts";
import { openProgressView, type ProgressView } from "./terminal/progress-view.ts";
import { watchRun } from "./watch-run.ts";

export interface FollowOptions {
  /** Whether to show progress. */
  readonly shows: boolean;
  /** Whether the run is in this process, where Ctrl-C cancels it; otherwise Ctrl-C detaches from it. */
  readonly isLocal: boolean;
  readonly approvals: ApprovalAnswer;
  /** A further command for the same service, as users type it. */
  readonly next: (words: string) => string;
  /** Aborted if Ctrl-C was pressed while the run was starting. */
  readonly interrupt?: AbortSignal;
}

/** Returns the ended run, or the exit code if the user detached. Errors: those of the watch. */
export async function followRun(client: ApiClient, runId: string, options: FollowOptions): Promise<Run | number> {
  const progress = new RunProgress();
  const view = options.shows ? openProgressView(progress) : silentView();
  const desk = openApprovalDesk(client, runId, options.approvals, view);
  const offered = new Set<string>();
  const leaving = new AbortController();
  const onInterrupt = createInterrupt(client, runId, options, view, leaving);
  let exitCode: number = EXIT.INTERRUPTED;
  const onTerminate = (): void => {
    exitCode = EXIT.TERMINATED;
    leaving.abort();
  };
  process.on("SIGINT", onInterrupt).on("SIGTERM", onTerminate);
  if (options.interrupt?.aborted === true) onInterrupt();
  try {
    const onInterrupted = (problem: string) => view.say(`${problem}; the watch continues when it is back`);
    const watch = { signal: leaving.signal, onInterrupted, includeEphemeral: options.shows };
    for await (const frame of watchRun(client, runId, watch)) {
      const note = describeNote(frame);
      if (note !== "") view.say(note);
      view.update(progress.apply(frame));
      for (const task of progress.tasks.values()) {
        if (task.wait?.kind.case !== "approval" || task.state !== "WAITING") continue;
        const { approvalId } = task.wait.kind.value;
        if (offered.has(approvalId)) continue;
        offered.add(approvalId);
        desk.offer(approvalId);
      }
      if (frame.frame.case === "end") return frame.frame.value.run ?? exitCode;
    }
    return exitCode;
  } finally {
    process.off("SIGINT", onInterrupt).off("SIGTERM", onTerminate);
    await desk.close();
    view.end();
  }
}

/** What an attempt said in this frame, or that something it said is missing; empty: neither. */
function describeNote({ frame }: WatchRunResponse): string {
  if (frame.case === "gap") return describeGap(frame.value.lostCount);
  if (frame.case !== "event" || frame.value.durable) return "";
  const { state, detail } = describeEvent(frame.value);
  return [frame.value.taskId, state, detail].filter((part) => part !== "").join("  ");
}

function describeGap(lostCount: number): string {
  return lostCount === 0
    ? "the run moved to another instance: remarks of tasks may be missing"
    : `${lostCount} remarks of tasks are missing`;
}

function createInterrupt(
  client: ApiClient,
  runId: string,
  { isLocal, next }: FollowOptions,
  view: ProgressView,
  leaving: AbortController,
): () => void {
  let presses = 0;
  return () => {
    presses++;
    if (!isLocal) {
      if (leaving.signal.aborted) return;
      view.leave(`detached; the run continues:  ${next(`runs watch ${runId}`)}   or   ${next(`runs cancel ${runId}`)}`);
      leaving.abort();
    } else if (presses > 1) leaving.abort();
    else {
      view.say("canceling the run; press Ctrl-C again to leave at once");
      client
        .call(RunService.method.cancelRun, { runId, reason: "interrupted in the terminal", compensate: true })
        .catch((error: unknown) => view.say(isOrchestratorError(error) ? error.message : String(error)));
    }
  };
}

function silentView(): ProgressView {
  const say = (text: string): void => {
    toStderr`${text}\n`;
  };
  return { update() {}, say, leave: say, pause: () => () => {}, end() {} };
}
