import { PassThrough } from "node:stream";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { type ProgressChange, RunProgress } from "../../../../src/cli/terminal/progress.ts";
import { openProgressView, renderProgress } from "../../../../src/cli/terminal/progress-view.ts";
import { RunPhase, RunState, TaskState } from "../../../../src/gen/orchestrator/v1/run_pb.ts";
import { type WatchRunResponse, WatchRunResponseSchema } from "../../../../src/gen/orchestrator/v1/run_service_pb.ts";

type Frame = NonNullable<MessageInitShape<typeof WatchRunResponseSchema>["frame"]>;

const frame = (given: Frame): WatchRunResponse => create(WatchRunResponseSchema, { frame: given });

const RUN = { runId: "r1", flowId: "flow", version: "1", state: RunState.RUNNING };

const snapshot = (tasks: readonly { taskId: string; state: TaskState; taskType?: string }[], run: object = RUN) =>
  frame({ case: "snapshot", value: { run, tasks: [...tasks] } });

const moved = (taskId: string, state: TaskState, more: object = {}) =>
  frame({ case: "event", value: { taskId, detail: { case: "taskTransition", value: { state, ...more } } } });

const lines = (changes: readonly ProgressChange[]): readonly string[] =>
  changes.map((change) => (change.kind === "run" ? `run ${change.state}` : `${change.task.id} ${change.task.state}`));

/** A stream that keeps what is written; with a size it is a terminal. */
function createStream(isTTY: boolean) {
  const stream = new PassThrough({ encoding: "utf8" });
  let written = "";
  const text = (): string => {
    written += stream.read() ?? "";
    return written.replaceAll(/\u001b\[\d+m/g, "");
  };
  return { stream: Object.assign(stream, { isTTY, columns: 80, rows: 20 }) as unknown as NodeJS.WriteStream, text };
}

describe("the progress of a run", () => {
  // Cause: a snapshot told nothing, so whatever had happened before the watch began was missing where nothing is drawn.
  test("tells what a snapshot holds already", () => {
    const progress = new RunProgress();
    const changes = progress.apply(
      snapshot([
        { taskId: "done", state: TaskState.COMPLETED },
        { taskId: "goes", state: TaskState.RUNNING },
        { taskId: "later", state: TaskState.PENDING },
      ]),
    );
    expect(lines(changes)).toEqual(["run RUNNING", "done COMPLETED", "goes RUNNING"]);
  });

  test("tells of a later snapshot only what is new", () => {
    const progress = new RunProgress();
    progress.apply(snapshot([{ taskId: "a", state: TaskState.RUNNING }]));
    const again = snapshot([
      { taskId: "a", state: TaskState.COMPLETED },
      { taskId: "b", state: TaskState.RUNNING },
    ]);
    expect(lines(progress.apply(again))).toEqual(["a COMPLETED", "b RUNNING"]);
    expect(lines(progress.apply(again))).toEqual([]);
  });

  test("leaves the end of a run to the frame that says how it ended", () => {
    const progress = new RunProgress();
    const ended = {
      ...RUN,
      state: RunState.FAILED,
      endTime: { seconds: 1n },
      error: { type: "BROKEN", message: "it broke" },
    };
    expect(lines(progress.apply(snapshot([{ taskId: "a", state: TaskState.FAILED }], ended)))).toEqual(["a FAILED"]);
    const phase = { case: "runTransition" as const, value: { phase: RunPhase.FAILED } };
    expect(progress.apply(frame({ case: "event", value: { detail: phase } }))).toEqual([]);
    const end = progress.apply(frame({ case: "end", value: { run: ended } }));
    expect(end).toMatchObject([{ kind: "run", state: "FAILED", error: { type: "BROKEN" } }]);
  });

  test("counts the children of a group that have ended", () => {
    const progress = new RunProgress();
    progress.apply(snapshot([{ taskId: "each", state: TaskState.RUNNING, taskType: "map" }]));
    progress.apply(moved("each.0", TaskState.RUNNING));
    progress.apply(moved("each.0", TaskState.COMPLETED));
    progress.apply(moved("each.1", TaskState.RUNNING));
    expect(progress.tasks.get("each")).toMatchObject({ ended: 1 });
    expect(progress.childrenOf("each").map(({ id }) => id)).toEqual(["each.0", "each.1"]);
  });
});

describe("lines of the live view", () => {
  const progress = new RunProgress();
  progress.apply(
    snapshot([
      { taskId: "fetch", state: TaskState.COMPLETED, taskType: "http" },
      { taskId: "each", state: TaskState.RUNNING, taskType: "map" },
      { taskId: "last", state: TaskState.PENDING, taskType: "noop" },
    ]),
  );
  for (let child = 0; child < 20; child++) progress.apply(moved(`each.${child}`, TaskState.RUNNING));
  progress.apply(moved("each.0", TaskState.COMPLETED));
  progress.apply(
    moved("each.1", TaskState.FAILED, { error: { type: "HTTP_503", message: "busy\u001b[2J, come back" } }),
  );
  const render = (columns: number, rows: number) =>
    renderProgress(progress, { columns, rows }, { now: 0, tick: 0 }).map(({ text }) => text);

  test("show the run, its tasks, and of a group the children that are worth a line", () => {
    const [head, ...rest] = render(100, 40);
    expect(head).toMatch(/RUNNING.* flow@1 {2}r1/);
    expect(rest.map((line) => line.trim().split(/ +/).slice(0, 2).join(" "))).toEqual([
      "✓ fetch",
      "⠋ each",
      "✗ each.1",
      ...[2, 3, 4, 5, 6].map((child) => `⠋ each.${child}`),
      "○ last",
    ]);
    expect(rest[1]).toContain("2 of 20");
  });

  test("fit the terminal in both directions, and nothing from outside steers it", () => {
    const narrow = render(40, 8);
    expect(narrow).toHaveLength(8);
    expect(narrow[1]).toMatch(/… \d+ lines above/);
    for (const line of [...render(40, 40), ...narrow]) {
      expect(line).not.toContain("\u001b[2J");
      expect(line.replaceAll(/\u001b\[\d+m/g, "").length).toBeLessThanOrEqual(40);
    }
  });
});

describe("the view", () => {
  test("writes a line for each change where nothing can be drawn", () => {
    const progress = new RunProgress();
    const { stream, text } = createStream(false);
    const view = openProgressView(progress, stream);
    view.update(progress.apply(snapshot([{ taskId: "a", state: TaskState.COMPLETED }])));
    view.say("a remark");
    view.end();
    expect(text().replaceAll(/^ *\d+\.\d\ds /gm, "")).toBe(" run RUNNING\n a  COMPLETED\n a remark\n");
  });

  // Cause: the terminal shows ^C itself and leaves the cursor behind it; going up alone left two characters of what was
  // drawn there ("WAleft; the run goes on").
  test("clears from the first column, and leaves a question its line", () => {
    const progress = new RunProgress();
    const { stream, text } = createStream(true);
    const view = openProgressView(progress, stream);
    view.say("first");
    expect(text()).toBe("\r\u001b[0Jfirst\n\r\u001b[0Jwaiting for the run\n");
    view.say("second");
    expect(text()).toContain("\r\u001b[1A\u001b[0Jsecond\n");
    const resume = view.pause();
    const before = text().length;
    view.say("while it asks");
    expect(text().slice(before)).toBe("\nwhile it asks\n");
    resume();
    view.end();
  });
});

// Cause: after Ctrl-C the progress was drawn twice more below the hint.
test.each([true, false])("what is said on leaving is the last thing shown (terminal: %s)", (isTerminal) => {
  const progress = new RunProgress();
  const { stream, text } = createStream(isTerminal);
  const view = openProgressView(progress, stream);
  view.leave("detached");
  view.update(progress.apply(snapshot([])));
  view.end();
  expect(text()).toMatch(/detached\n$/);
});

// Cause: `docker exec -t`, `expect`, and serial consoles report 0 columns and rows, which cut every line to nothing.
test("a terminal that reports no size has the usual one", () => {
  const progress = new RunProgress();
  progress.apply(snapshot([{ taskId: "first", state: TaskState.RUNNING }]));
  const draw = (stream: { columns?: number; rows?: number }) =>
    renderProgress(progress, stream, { now: 0, tick: 0 }).map(({ text }) => text);
  expect(draw({ columns: 0, rows: 0 })).toEqual(draw({}));
  expect(draw({ columns: 0, rows: 0 })[1]).toContain("first");
});

// Cause: every change of every task was a line: 1,561 for 200 tasks, without end for one that is retried.
test("without a terminal a watch says of each task how it ended, and little besides", () => {
  const progress = new RunProgress();
  const { stream, text } = createStream(false);
  const view = openProgressView(progress, stream);
  const apply = (one: WatchRunResponse): void => view.update(progress.apply(one));
  const ids = Array.from({ length: 200 }, (_, at) => `t${at}`);
  apply(snapshot(ids.map((taskId) => ({ taskId, state: TaskState.PENDING }))));
  for (const taskId of ids) {
    for (let attempt = 0; attempt < 3; attempt++) {
      apply(moved(taskId, TaskState.RUNNING));
      apply(moved(taskId, TaskState.RETRYING));
    }
    for (let child = 0; child < 5; child++) apply(moved(`${taskId}.${child}`, TaskState.FAILED));
    apply(moved(taskId, TaskState.WAITING, { wait: { kind: { case: "signal", value: { signalNames: ["paid"] } } } }));
    apply(moved(taskId, TaskState.COMPLETED));
    apply(moved(taskId, TaskState.COMPLETED));
  }
  view.end();
  const said = text().trimEnd().split("\n");
  expect(said.filter((line) => line.includes("COMPLETED"))).toHaveLength(200);
  expect(said.filter((line) => line.includes("signal paid"))).toHaveLength(200);
  // The run, 20 children that failed, and the remark that there are more.
  expect(said.filter((line) => !/COMPLETED|signal paid/.test(line))).toHaveLength(22);
});
