/** A watch that moves with its run. */
import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { followRun } from "../../../../src/api/peers/follow-run.ts";
import { type Sender, Unreached } from "../../../../src/api/peers/forward-send.ts";
import type { Place } from "../../../../src/engine/ports/cluster.ts";
import {
  WatchRunRequestSchema,
  type WatchRunResponse,
  WatchRunResponseSchema,
} from "../../../../src/gen/orchestrator/v1/run_service_pb.ts";

const eventAt = (cursor: string): WatchRunResponse =>
  create(WatchRunResponseSchema, { frame: { case: "event", value: { cursor } } });
const end = create(WatchRunResponseSchema, { frame: { case: "end", value: { cursor: "end" } } });

/**
 * A run whose owner `there` dies once its reader has `before`; this instance takes it over. The frames that the reader
 * gets: cursors, and counts of gaps.
 */
async function readMoved(request: { cursor?: string; includeEphemeral?: boolean }, before: readonly string[]) {
  let owner: Place = { address: "there" };
  const stream = async function* (address: string) {
    for (const cursor of before) yield eventAt(cursor);
    owner = "here";
    throw new Unreached(address, null);
  } as unknown as Sender["stream"];
  const cursors: string[] = [];
  const watchHere = async function* (cursor: string): AsyncGenerator<WatchRunResponse> {
    cursors.push(cursor);
    yield end;
  };
  const parts = { cluster: { ownerOf: () => owner }, sender: { stream }, draining: new AbortController().signal };
  const call = { signal: new AbortController().signal } as Parameters<typeof followRun>[2];
  const frames: unknown[] = [];
  for await (const { frame } of followRun(parts, create(WatchRunRequestSchema, request), call, watchHere))
    frames.push(frame.case === "gap" ? frame.value.lostCount : frame.value?.cursor);
  return { frames, cursors };
}

test("a watch with ephemeral events has a gap where it moves with its run, and goes on after its last cursor", async () => {
  expect(await readMoved({ includeEphemeral: true }, ["a", "b"])).toEqual({
    frames: ["a", "b", 0, "end"],
    cursors: ["b"],
  });
  // Nothing was sent yet, but the reader has been there since before the move.
  expect(await readMoved({ includeEphemeral: true, cursor: "z" }, [])).toEqual({ frames: [0, "end"], cursors: ["z"] });
});

test("durable events alone have no gap, and a watch that has not begun begins with its snapshot", async () => {
  expect((await readMoved({}, ["a"])).frames).toEqual(["a", "end"]);
  expect((await readMoved({ includeEphemeral: true }, [])).frames).toEqual(["end"]);
});
