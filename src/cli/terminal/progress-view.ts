/** Shows the progress of a run: redrawn in place on a terminal, a limited number of lines elsewhere. */
import { formatDuration } from "../../base/time/duration.ts";
import { joinShown, type Part, Shown, show, writeShown } from "./output.ts";
import { paint } from "./paint.ts";
import { describeWait, styleOf } from "./print.ts";
import { hasEnded, type ProgressChange, type RunProgress, type TaskProgress } from "./progress.ts";
import { cut, padTo, plain, sizeOf, widthOf } from "./terminal.ts";

/** Most children of one group to draw at the same time. */
const MAX_CHILDREN = 6;

/** Time between redraws, milliseconds. */
const FRAME_MS = 100;

/** Time between summary lines without a terminal, milliseconds. */
const SUMMARY_MS = 5_000;

/** Most failed children that get a line. */
const MAX_FAILED_CHILDREN = 20;

/** Most tasks named in a summary line. */
const MAX_NAMED = 3;

const SPINNER = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"] as const;

/** A view of a run's progress. */
export interface ProgressView {
  /** Shows what changed. */
  update(changes: readonly ProgressChange[]): void;
  /** Prints a remark above the progress. */
  say(text: string): void;
  /** Stops drawing so that a question can be asked; the returned function resumes. */
  pause(): () => void;
  /** Prints a remark below the progress and stops drawing for good. */
  leave(text: string): void;
  /** Draws a last time, unless {@link ProgressView.leave} was called. */
  end(): void;
}

/** Opens the view that fits the stream. */
export function openProgressView(progress: RunProgress, stream: NodeJS.WriteStream = process.stderr): ProgressView {
  return stream.isTTY === true ? openLiveView(progress, stream) : openPlainView(progress, stream);
}

/**
 * Without a terminal: a line for each task of the flow that ended or waits for a person or a signal, one for each
 * failed child up to a limit, and a summary every few seconds. Retries and items of a map get no lines.
 */
function openPlainView(progress: RunProgress, stream: NodeJS.WriteStream): ProgressView {
  const began = performance.now();
  const told = new Map<string, string>();
  let failedChildren = 0;
  let summary = "";
  let isLeft = false;
  const say = (text: Part): void => {
    writeShown(stream, show`${((performance.now() - began) / 1_000).toFixed(2).padStart(8)}s  ${text}\n`);
  };
  const sayTask = (task: TaskProgress): void => {
    if (!isWorthALine(task)) return;
    const key = `${task.state} ${task.attempt}`;
    if (told.get(task.id) === key) return;
    const isFailedChild = task.parent !== "" && ++failedChildren > MAX_FAILED_CHILDREN;
    if (isFailedChild) {
      if (failedChildren === MAX_FAILED_CHILDREN + 1) say("further failed children are not listed");
      return;
    }
    told.set(task.id, key);
    say(show`${task.id}  ${paint(styleOf(task.state), task.state, stream)}${describe(task, Date.now())}`);
  };
  const timer = setInterval(() => {
    const now = summarize(progress);
    if (now === summary || now === "") return;
    summary = now;
    say(now);
  }, SUMMARY_MS);
  timer.unref();
  return {
    update(changes) {
      if (isLeft) return;
      for (const change of changes) {
        if (change.kind === "task") sayTask(change.task);
        else {
          const { state, note, error } = change;
          const why = error === undefined ? note : `${error.type} ${error.message}`;
          say(show`run ${paint(styleOf(state), state, stream)}${why === "" ? "" : `  ${why}`}`);
        }
      }
    },
    say,
    leave(text) {
      clearInterval(timer);
      say(text);
      isLeft = true;
    },
    pause: () => () => {},
    end() {
      clearInterval(timer);
    },
  };
}

function isWorthALine(task: TaskProgress): boolean {
  if (task.parent !== "") return task.state === "FAILED" || task.state === "TIMED_OUT";
  const kind = task.wait?.kind.case;
  return hasEnded(task) || (task.state === "WAITING" && (kind === "approval" || kind === "signal"));
}

/** Summary of a run: how many tasks of the flow have ended, and the first few open ones by name. */
function summarize(progress: RunProgress): string {
  const tasks = progress.childrenOf("");
  const open = tasks.filter((task) => !hasEnded(task) && task.state !== "PENDING");
  if (open.length === 0) return "";
  const named = open.slice(0, MAX_NAMED).map((task) => {
    const parts = [task.state.toLowerCase(), ...(task.children > 0 ? [`${task.ended} of ${task.children}`] : [])];
    return `${task.id} (${[...parts, ...(task.attempt > 1 ? [`attempt ${task.attempt}`] : [])].join(", ")})`;
  });
  const more = open.length > MAX_NAMED ? `, and ${open.length - MAX_NAMED} more` : "";
  return `${tasks.filter(hasEnded).length} of ${tasks.length} tasks ended; ${named.join(", ")}${more}`;
}

function openLiveView(progress: RunProgress, stream: NodeJS.WriteStream): ProgressView {
  let drawn = 0;
  let tick = 0;
  let paused = false;
  let isLeft = false;
  const clear = (): void => {
    // From the first column, because the terminal shows ^C before the cursor.
    if (!paused) writeShown(stream, new Shown(drawn > 0 ? `\r\u001b[${drawn}A\u001b[0J` : "\r\u001b[0J"));
    drawn = 0;
  };
  const draw = (): void => {
    if (paused || isLeft) return;
    const lines = renderProgress(progress, stream, { now: Date.now(), tick: tick++ });
    clear();
    writeShown(stream, show`${joinShown(lines, "\n")}\n`);
    drawn = lines.length;
  };
  const timer = setInterval(draw, FRAME_MS);
  return {
    update() {
      // The next frame shows it: a thousand changes per second do not need a thousand redraws.
    },
    say(text) {
      clear();
      // An open question keeps its line.
      writeShown(stream, show`${new Shown(paused ? "\n" : "")}${text}\n`);
      draw();
    },
    pause() {
      draw();
      drawn = 0;
      paused = true;
      return () => {
        paused = false;
      };
    },
    leave(text) {
      clearInterval(timer);
      draw();
      isLeft = true;
      drawn = 0;
      writeShown(stream, show`${new Shown(paused ? "\n" : "")}${text}\n`);
    },
    end() {
      clearInterval(timer);
      paused = false;
      draw();
    },
  };
}

/**
 * Lines of the live view: the run, its tasks, and the relevant children of each group. They fit the width and height of
 * the stream.
 */
export function renderProgress(
  progress: RunProgress,
  stream: { readonly columns?: number; readonly rows?: number },
  { now, tick }: { readonly now: number; readonly tick: number },
): Shown[] {
  const { columns: width = 100, rows = 40 } = sizeOf(stream);
  const room = Math.max(4, rows - 2);
  const idWidth = Math.min(32, Math.max(12, ...progress.childrenOf("").map((task) => widthOf(plain(task.id)))));
  const lines: Shown[] = [];
  const visit = (task: TaskProgress, depth: number): void => {
    lines.push(renderTask(task, depth, { width, idWidth, now, tick }));
    if (hasEnded(task) && task.state === "COMPLETED") return;
    const children = progress
      .childrenOf(task.id)
      .filter((child) => !hasEnded(child) || child.state === "FAILED" || child.state === "TIMED_OUT");
    for (const child of children.slice(0, MAX_CHILDREN)) visit(child, depth + 1);
  };
  for (const task of progress.childrenOf("")) visit(task, 0);
  const hidden = lines.length - room;
  // If not all lines fit, show the last ones, where things happen.
  const shown = hidden > 0 ? [paint("dim", `  … ${hidden} lines above`), ...lines.slice(hidden)] : lines;
  return [renderHead(progress, width), ...shown];
}

function renderHead({ run, state }: RunProgress, width: number): Shown {
  if (run === undefined) return paint("dim", "waiting for the run");
  const rest = plain(`  ${run.flowId}${run.version === "" ? "" : `@${run.version}`}  ${run.runId}`);
  return show`${paint(styleOf(state), state)}${paint("dim", cut(rest, Math.max(0, width - state.length)))}`;
}

interface Drawing {
  readonly width: number;
  readonly idWidth: number;
  readonly now: number;
  readonly tick: number;
}

function renderTask(task: TaskProgress, depth: number, { width, idWidth, now, tick }: Drawing): Shown {
  const indent = "  ".repeat(depth + 1);
  const id = padTo(cut(plain(task.id), idWidth), idWidth);
  // A line that wraps would count as two, and the next redraw would start at the wrong one.
  const head = cut(`${indent}${signOf(task, tick)} ${id}  ${padTo(cut(plain(task.type), 10), 10)}  `, width);
  const state = task.state.padEnd(10);
  const rest = plain(describe(task, now));
  const left = width - widthOf(head) - state.length;
  return show`${head}${paint(styleOf(task.state), cut(state, Math.max(0, width - widthOf(head))))}${paint("dim", cut(rest, Math.max(0, left)))}`;
}

function signOf(task: TaskProgress, tick: number): string {
  switch (task.state) {
    case "COMPLETED":
      return "✓";
    case "COMPENSATED":
      return "↶";
    case "FAILED":
    case "TIMED_OUT":
      return "✗";
    case "SKIPPED":
    case "CANCELED":
      return "-";
    case "RUNNING":
      return SPINNER[tick % SPINNER.length] ?? "•";
    case "RETRYING":
      return "↻";
    case "WAITING":
      return "…";
    default:
      return "○";
  }
}

/** Details of a task beside its state. */
function describe(task: TaskProgress, now: number): string {
  const parts: string[] = [];
  if (task.children > 0) parts.push(`${task.ended} of ${task.children}`);
  if (task.attempt > 1) parts.push(`attempt ${task.attempt}`);
  if (task.startedAt !== undefined && task.endedAt !== undefined)
    parts.push(formatDuration(Math.max(0, task.endedAt - task.startedAt)));
  if (task.state === "WAITING") parts.push(describeWait(task.wait, now));
  if (task.reason !== "") parts.push(task.reason);
  if (task.state === "RETRYING" && task.nextAttemptAt !== undefined)
    parts.push(`next attempt in ${formatDuration(Math.max(0, task.nextAttemptAt - now))}`);
  if (task.error !== undefined && task.state !== "COMPLETED") parts.push(`${task.error.type}: ${task.error.message}`);
  return parts
    .filter((part) => part !== "")
    .map((part) => `  ${part}`)
    .join("");
}
