/** What all reference agents do: one answer to each request, over pub/sub and over Streams, on a real server. */
import { describe, expect, inject, test } from "vitest";
import type { Handle, Work } from "../../examples/agents/shared/desk.ts";
import type { Json } from "../../examples/agents/shared/json.ts";
import { AgentError } from "../../examples/agents/shared/messages.ts";
import { openAgentBed } from "../support/agents.ts";
import { eventually } from "../support/eventually.ts";
import { startRedisForTest } from "../support/redis-server.ts";

const port = inject("redis");
const skips = port === 0;

/** Waits until it is aborted or released. */
function hold(): { readonly handle: Handle; readonly works: Work[]; release(): void } {
  const works: Work[] = [];
  let release = (): void => {};
  const released = new Promise<void>((resolve) => (release = resolve));
  const handle: Handle = async (parameters, work) => {
    works.push(work);
    const aborted = new Promise<never>((_, reject) =>
      work.signal.addEventListener("abort", () => reject(work.signal.reason)),
    );
    await Promise.race([released, aborted]);
    return { echo: parameters["prompt"] ?? null };
  };
  return { handle, works, release: () => release() };
}

describe.skipIf(skips).each(["pubsub", "stream"] as const)("over %s", (over) => {
  test("a request has one answer, with the output or with what went wrong", async () => {
    const bed = openAgentBed(port, "ai", over);
    await bed.open(async ({ prompt }) => {
      if (prompt === "refuse") throw new AgentError("NO", "not this one", { details: { why: "a" } });
      if (prompt === "later") throw new AgentError("LATER", "not now", { retryable: true, nextRetryDelaySeconds: 2 });
      if (prompt === "bug") throw new TypeError("secret");
      return { echo: prompt ?? null };
    });
    expect(await bed.call({ prompt: "hello" })).toEqual({
      correlation_id: expect.any(String),
      status: "completed",
      output: { echo: "hello" },
      error: null,
      progress: 1,
    });
    const failed = { correlation_id: expect.any(String), status: "failed", output: null, progress: null };
    expect(await bed.call({ prompt: "refuse" })).toEqual({
      ...failed,
      error: { type: "NO", message: "not this one", retryable: false, details: { why: "a" } },
    });
    expect(await bed.call({ prompt: "later" })).toEqual({
      ...failed,
      error: { type: "LATER", message: "not now", retryable: true, next_retry_delay: 2 },
    });
    // What a bug says stays in the log.
    expect(await bed.call({ prompt: "bug" })).toEqual({
      ...failed,
      error: { type: "AGENT_ERROR", message: "the agent failed; its log says why", retryable: true },
    });
    expect(bed.log.join("\n")).toContain("TypeError: secret");
  });

  test("a message that does not fit is answered if it names somebody, and never stops the next one", async () => {
    const bed = openAgentBed(port, "ai", over);
    await bed.open(async () => "done");
    for (const text of ["", "{", "[]", "1", '{"correlation_id": 7}', "\0"]) await bed.sendText(text);
    await bed.sendText('{"correlation_id": "c1", "task_type": "ai"}');
    await bed.sendText('{"correlation_id": "c2", "task_type": "ai", "parameters": {"prompt": 7}}');
    await bed.sendText('{"correlation_id": "c3", "task_type": "ai", "parameters": {"prompt": "a"}, "new_key": 1}');
    expect((await bed.answer("c1")).error).toMatchObject({ type: "REQUEST_INVALID", retryable: false });
    const { error } = await bed.answer("c2");
    expect(error?.message).toMatch(/^ai-parameters: prompt: .*string/);
    expect((await bed.answer("c3")).output).toBe("done");
    expect(await bed.answers()).toHaveLength(3);
  });

  test("no more tasks are done at once than there are slots; the others wait their turn", async () => {
    const bed = openAgentBed(port, "ai", over);
    const { handle, works, release } = hold();
    await bed.open(handle);
    const ids = await Promise.all(["a", "b", "c", "d", "e"].map((prompt) => bed.send({ prompt })));
    // Messages keep their order, and entries that are read are pending: the agent has seen what it takes.
    await bed.redis.publish(bed.env["AGENT_CONTROL"] ?? "", "the last one");
    await eventually(() => expect(bed.log.join()).toContain("a control message is ignored"));
    await eventually(() => expect(works).toHaveLength(2));
    if (over === "stream")
      expect((await bed.redis.xpending(bed.requests.slice("stream:".length), "ai-agents"))[0]).toBe(2);
    release();
    const answers = await Promise.all(ids.map((id) => bed.answer(id)));
    expect(answers.map(({ output }) => output.echo)).toEqual(["a", "b", "c", "d", "e"]);
  });

  test("a repeated correlation id is done once, and answered again when its end is known", async () => {
    const bed = openAgentBed(port, "ai", over);
    const { handle, works, release } = hold();
    await bed.open(handle);
    const again = { correlation_id: "same" };
    await bed.send({ prompt: "first" }, again);
    await eventually(() => expect(works).toHaveLength(1));
    await bed.send({ prompt: "second" }, again);
    release();
    await bed.answer("same");
    await bed.send({ prompt: "third" }, again);
    await eventually(async () => expect(await bed.answers()).toHaveLength(2));
    expect((await bed.answers()).map(({ output }) => output.echo)).toEqual(["first", "first"]);
    expect(works).toHaveLength(1);
  });

  test("a task ends at its timeout and on a cancel, also on one that is early", async () => {
    const bed = openAgentBed(port, "ai", over);
    const { handle, works } = hold();
    await bed.open(handle);
    const late = await bed.call({ prompt: "slow" }, { timeout: 0.3 });
    expect(late.error).toMatchObject({
      type: "TIMEOUT",
      message: "the task did not end within 0.3 s",
      retryable: true,
    });
    const running = await bed.send({ prompt: "running" });
    await eventually(() => expect(works).toHaveLength(2));
    await bed.cancel(running, "the run was canceled");
    expect((await bed.answer(running)).error).toEqual({
      type: "CANCELED",
      message: "the run was canceled",
      retryable: false,
    });
    await bed.cancel("early");
    await bed.redis.publish(bed.env["AGENT_CONTROL"] ?? "", "not JSON");
    await eventually(() => expect(bed.log.join()).toContain("a control message is ignored"));
    await bed.send({ prompt: "early" }, { correlation_id: "early" });
    expect((await bed.answer("early")).error).toMatchObject({ type: "CANCELED" });
    expect(works).toHaveLength(2);
  });

  test("two agents share the work, and each task is done by one of them", async () => {
    const bed = openAgentBed(port, "ai", over);
    const done: string[] = [];
    const { handle, release } = hold();
    for (const AGENT_NAME of ["one", "two"])
      await bed.open(
        (parameters, work) => {
          done.push(AGENT_NAME);
          return handle(parameters, work);
        },
        { AGENT_NAME },
      );
    const ids = await Promise.all(Array.from({ length: 20 }, (_, index) => bed.send({ prompt: `p${index}` })));
    await eventually(() => expect(done.toSorted()).toEqual(["one", "one", "two", "two"]));
    release();
    await Promise.all(ids.map((id) => bed.answer(id)));
    expect(await bed.answers()).toHaveLength(20);
    expect(done).toHaveLength(20);
  });

  test("an output that the service would refuse is one error, and the agent lives on", async () => {
    const bed = openAgentBed(port, "ai", over);
    const deep = (levels: number): Json => (levels === 0 ? null : [deep(levels - 1)]);
    const outputs: Readonly<Record<string, unknown>> = {
      nul: { a: "a\0b" },
      half: ["\ud800"],
      key: { "a\udc00": 1 },
      infinite: Number.POSITIVE_INFINITY,
      deep: deep(64),
      deeper: deep(5_000),
      bigint: 1n,
      large: "x".repeat(2_097_152),
      fine: deep(63),
    };
    await bed.open(async ({ prompt }) => {
      if (prompt === "error") throw new AgentError("NO", "a\0b\ud800", { details: deep(5_000) });
      return outputs[prompt as string] as Json;
    });
    for (const prompt of ["nul", "half", "key", "infinite", "deep", "deeper", "bigint"])
      expect((await bed.call({ prompt })).error, prompt).toMatchObject({ type: "OUTPUT_INVALID", retryable: false });
    expect((await bed.call({ prompt: "large" })).error).toMatchObject({ type: "OUTPUT_TOO_LARGE", retryable: false });
    expect((await bed.call({ prompt: "error" })).error).toEqual({
      ...{ type: "NO", message: "a\ufffdb\ufffd", retryable: false },
    });
    expect((await bed.call({ prompt: "fine" })).output).toEqual(deep(63));
  });

  test("a request that no service sends is refused, and a timeout of any length is kept to", async () => {
    const bed = openAgentBed(port, "ai", over);
    await bed.open(async (_, { request }) => request.timeout ?? null);
    const invalid = { type: "REQUEST_INVALID", retryable: false };
    expect((await bed.call({ prompt: "a\0b" })).error).toMatchObject(invalid);
    const deep = `${"[".repeat(30_000)}${"]".repeat(30_000)}`;
    await bed.sendText(`{"correlation_id": "c1", "task_type": "ai", "parameters": {"prompt": "a", "x": ${deep}}}`);
    expect((await bed.answer("c1")).error).toMatchObject(invalid);
    expect((await bed.call({ prompt: "a" }, { timeout: 1e18 })).output).toBe(2_000_000);
    expect(bed.log.join()).not.toContain("without a claim");
  });

  test("an answer that is too large is an error that says so", async () => {
    const bed = openAgentBed(port, "ai", over);
    await bed.open(async () => "x".repeat(2_000), { AGENT_MAX_ANSWER_BYTES: "1000" });
    const { error } = await bed.call({ prompt: "much" });
    expect(error).toMatchObject({ type: "OUTPUT_TOO_LARGE", retryable: false });
  });

  test("an agent that stops lets its tasks end, and gives up what takes longer", async () => {
    const bed = openAgentBed(port, "ai", over);
    const short = hold();
    const agent = await bed.open(short.handle);
    const ids = [await bed.send({ prompt: "a" }), await bed.send({ prompt: "b" }), await bed.send({ prompt: "c" })];
    await eventually(() => expect(short.works).toHaveLength(2));
    const stopped = agent.stop(20_000);
    if (over === "pubsub") await eventually(async () => expect(await bed.answers()).toHaveLength(1));
    short.release();
    await stopped;
    const answers = await bed.answers();
    expect(answers.filter(({ status }) => status === "completed")).toHaveLength(2);
    const stopping = { type: "AGENT_STOPPING", retryable: true };
    if (over === "pubsub") expect((await bed.answer(ids[2] ?? "")).error).toMatchObject(stopping);
    // The entry of a stream is there for the next agent.
    const long = hold();
    const next = await bed.open(long.handle);
    if (over === "stream") await eventually(() => expect(long.works).toHaveLength(1));
    else await bed.send({ prompt: "d" });
    await eventually(() => expect(long.works).toHaveLength(1));
    await next.stop(50);
    expect((await bed.answers()).at(-1)?.error).toMatchObject(stopping);
  });

  test("a restart of the server is lived through, and the answer comes after it", { timeout: 60_000 }, async () => {
    const server = await startRedisForTest();
    const bed = openAgentBed(server.port, "ai", over);
    const { handle, works, release } = hold();
    await bed.open(handle);
    const before = await bed.send({ prompt: "before" });
    await eventually(() => expect(works).toHaveLength(1));
    await server.stop("SIGKILL");
    release();
    await eventually(() => expect(bed.log.join()).toContain("Redis does not answer"));
    await server.start();
    expect((await bed.answer(before, 30_000)).output).toEqual({ echo: "before" });
    // Nobody is told when subscriptions are back: what is published before is lost.
    await eventually(async () => expect(await bed.redis.pubsub("NUMSUB", bed.env["AGENT_CONTROL"] ?? "")).toContain(1));
    if (over === "pubsub")
      await eventually(async () => expect(await bed.redis.pubsub("NUMSUB", bed.requests)).toContain(1));
    expect((await bed.call({ prompt: "after" })).output).toEqual({ echo: "after" });
    expect(bed.log.join("\n")).toMatch(/Redis does not answer[\s\S]*Redis answers again/);
  });
});

describe.skipIf(skips)("over a stream", () => {
  test("what a dead agent had is done by another one, and answered and gone in one step", async () => {
    const bed = openAgentBed(port, "ai", "stream");
    const key = bed.requests.slice("stream:".length);
    const id = await bed.send({ prompt: "orphan" });
    await bed.redis.xgroup("CREATE", key, "ai-agents", "0");
    // An agent that read the entry and died.
    await bed.redis.xreadgroup("GROUP", "ai-agents", "dead", "COUNT", 1, "STREAMS", key, ">");
    await bed.open(async ({ prompt }) => prompt ?? null, { AGENT_IDLE_SECONDS: "0.3" });
    expect((await bed.answer(id)).output).toBe("orphan");
    expect(await bed.redis.xlen(key)).toBe(0);
    expect(await bed.redis.xpending(key, "ai-agents")).toEqual([0, null, null, null]);
  });

  test("an agent that is started again under its name takes up what it had, without a pause", async () => {
    const bed = openAgentBed(port, "ai", "stream");
    const key = bed.requests.slice("stream:".length);
    const id = await bed.send({ prompt: "mine" });
    await bed.redis.xgroup("CREATE", key, "ai-agents", "0");
    await bed.redis.xreadgroup("GROUP", "ai-agents", "me", "COUNT", 1, "STREAMS", key, ">");
    await bed.open(async ({ prompt }) => prompt ?? null, { AGENT_NAME: "me", AGENT_IDLE_SECONDS: "3600" });
    expect((await bed.answer(id)).output).toBe("mine");
  });

  test("a task that takes longer than the silence of a dead agent is not taken from a live one", async () => {
    const bed = openAgentBed(port, "ai", "stream");
    const { handle, works, release } = hold();
    await bed.open(handle, { AGENT_IDLE_SECONDS: "0.6", AGENT_NAME: "slow" });
    const id = await bed.send({ prompt: "long" });
    await eventually(() => expect(works).toHaveLength(1));
    await bed.open(handle, { AGENT_IDLE_SECONDS: "0.6", AGENT_NAME: "eager" });
    const countClaims = async (): Promise<number> =>
      Number(/cmdstat_xautoclaim:calls=(\d+)/.exec(await bed.redis.info("commandstats"))?.[1]);
    const before = await countClaims();
    // Each looks every 0.2 s.
    await eventually(async () => expect(await countClaims()).toBeGreaterThan(before + 14));
    release();
    await bed.answer(id);
    expect(works).toHaveLength(1);
  });

  test("a task that kills its agents is answered as failed after the third", async () => {
    const bed = openAgentBed(port, "ai", "stream");
    const key = bed.requests.slice("stream:".length);
    const id = await bed.send({ prompt: "deadly" });
    await bed.redis.xgroup("CREATE", key, "ai-agents", "0");
    await bed.redis.xreadgroup("GROUP", "ai-agents", "a", "COUNT", 1, "STREAMS", key, ">");
    for (const name of ["b", "c"]) await bed.redis.xautoclaim(key, "ai-agents", name, 0, "0-0");
    await bed.open(async () => expect.unreachable("it is not tried again"), { AGENT_IDLE_SECONDS: "0.1" });
    expect((await bed.answer(id)).error).toEqual({
      type: "AGENT_CRASHED",
      message: "3 agents took this task and gave no answer; it is not tried again",
      retryable: false,
    });
  });

  test("a group that a flush removed is made again", async () => {
    const server = await startRedisForTest();
    const bed = openAgentBed(server.port, "ai", "stream");
    await bed.open(async ({ prompt }) => prompt ?? null, { AGENT_IDLE_SECONDS: "1" });
    expect((await bed.call({ prompt: "one" })).output).toBe("one");
    await bed.redis.flushall();
    expect((await bed.call({ prompt: "two" })).output).toBe("two");
  });
});
