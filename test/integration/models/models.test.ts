import { expect, test } from "vitest";
import { FlowService } from "../../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { RunState } from "../../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../../src/gen/orchestrator/v1/run_service_pb.ts";
import { eventually } from "../../support/eventually.ts";
import type { ModelRequest } from "../../support/model-server.ts";
import { openModelBed } from "../../support/model-service.ts";

/** Each test starts processes of its own. */
const SLOW_MS = 180_000;

const ask = (parameters: string, more = ""): string =>
  `  tasks: [{id: q, type: ai, parameters: {${parameters}}${more}}]\n  output: "\${q.output}"`;

const openBed = () => openModelBed();
type Bed = Awaited<ReturnType<typeof openBed>>;

const run = async (bed: Bed, name: string, parameters: string, more = ""): Promise<string> => {
  await bed.register(name, ask(parameters, more));
  return bed.start(name);
};

const completes = async (bed: Bed, runId: string): Promise<Record<string, unknown>> => {
  await bed.reaches(runId, RunState.COMPLETED);
  return (await bed.outputOf(runId)) as Record<string, unknown>;
};

const fails = async (bed: Bed, runId: string) => {
  await bed.reaches(runId, RunState.FAILED);
  const { tasks } = await bed.client.call(RunService.method.listRunTasks, { runId });
  return tasks[0]?.error;
};

test(
  "both protocols: answers, usage, JSON with repairs, fallbacks, the cache",
  async () => {
    const bed = await openBed();
    const { models } = bed;

    // Anthropic: the last count of the output counts, not the sum.
    let runId = await run(bed, "claude", "provider: claude, prompt: hi, temperature: 0.5");
    let request = await models.next();
    expect(request).toMatchObject({ protocol: "anthropic", body: { temperature: 0.5, max_tokens: 1_000 } });
    request.say("hello");
    expect(await completes(bed, runId)).toMatchObject({
      content: "hello",
      finish_reason: "end_turn",
      usage: { input_tokens: 10, output_tokens: 5, cost_usd: 0.00002, estimated: false },
    });

    // JSON that does not match goes back once.
    const schema = "{type: object, required: [n], properties: {n: {type: integer}}}";
    const json = `prompt: hi, response_format: {type: json, schema: ${schema}}`;
    runId = await run(bed, "repair", json);
    request = await models.next();
    expect(request.body.response_format).toMatchObject({ type: "json_schema" });
    request.say('{"n": "x"}');
    request = await models.next();
    expect(request.headers["idempotency-key"]).toMatch(/call 2$/);
    expect(request.body.messages.at(-1)?.content).toMatch(/^That answer cannot be used: answer.n: .*integer/);
    request.say('```json\n{"n": 7}\n```');
    expect(await completes(bed, runId)).toMatchObject({ content: { n: 7 }, calls: 2, usage: { input_tokens: 20 } });

    runId = await run(bed, "unrepaired", json);
    (await models.next()).say("no");
    (await models.next()).say("no, really");
    expect(await fails(bed, runId)).toMatchObject({ type: "RESPONSE_FORMAT_INVALID" });

    runId = await run(bed, "short", json);
    (await models.next()).say('{"n":', { finishReason: "length" });
    expect((await fails(bed, runId))?.message).toMatch(/after 1000 tokens.*raise max_tokens/);

    // A fallback is asked after the errors that it names, and only those.
    const fallback = "fallback: [{provider: claude, model: haiku, on: [MODEL_OVERLOADED]}]";
    runId = await run(bed, "falls", `prompt: hi, ${fallback}`);
    (await models.next()).refuse(503, { error: { message: "busy" } });
    request = await models.next();
    expect(request).toMatchObject({ protocol: "anthropic", body: { model: "haiku" } });
    request.say("from claude");
    expect(await completes(bed, runId)).toMatchObject({ content: "from claude", provider: "claude", calls: 2 });
    runId = await run(bed, "stays", `prompt: hi, ${fallback}`);
    (await models.next()).refuse(500, { error: { message: "broken" } });
    expect(await fails(bed, runId)).toMatchObject({ type: "MODEL_FAILED" });

    // The cache.
    for (const [name, hit] of [
      ["cache-1", false],
      ["cache-2", true],
    ] as const) {
      runId = await run(bed, name, "prompt: again, cache: {ttl: 60}");
      if (!hit) (await models.next()).say("kept");
      const usage = hit ? { input_tokens: 0, output_tokens: 0, cost_usd: 0 } : { input_tokens: 10 };
      expect(await completes(bed, runId)).toMatchObject({ content: "kept", cached: hit, calls: hit ? 0 : 1, usage });
    }
    runId = await run(bed, "cache-3", "prompt: again, temperature: 1, cache: {ttl: 60}");
    (await models.next()).say("another question");
    expect(await completes(bed, runId)).toMatchObject({ cached: false });

    // Without a price, and without a count.
    runId = await run(bed, "free", "prompt: hi, model: free, max_tokens: 50");
    (await models.next()).say("hello", { usage: null });
    expect(await completes(bed, runId)).toMatchObject({
      usage: { output_tokens: 50, cost_usd: null, estimated: true },
    });
  },
  SLOW_MS,
);

test(
  "each error of a provider has one name, and only some are tried again",
  async () => {
    const bed = await openBed();
    const { models } = bed;
    const cases = [
      [429, { error: { message: "slow down" } }, "TOO_MANY_REQUESTS", true],
      [429, { error: { message: "no more", code: "insufficient_quota" } }, "MODEL_QUOTA_EXCEEDED", false],
      [529, { type: "error", error: { type: "overloaded_error", message: "Overloaded" } }, "MODEL_OVERLOADED", true],
      [500, { error: { message: "oops" } }, "MODEL_FAILED", true],
      [400, { error: { message: "too long", code: "context_length_exceeded" } }, "CONTEXT_TOO_LONG", false],
      [400, { error: { message: "filtered", code: "content_filter" } }, "CONTENT_REFUSED", false],
      [400, { error: { message: "what?" } }, "MODEL_REQUEST_INVALID", false],
      [401, { error: { message: "who?" } }, "MODEL_UNAUTHORIZED", false],
      [404, { error: { message: "which?" } }, "MODEL_NOT_FOUND", false],
    ] as const;
    await bed.register("fails", ask("prompt: hi"));
    await bed.register("fails-2", ask("prompt: hi, provider: claude"));
    for (const flow of ["fails", "fails-2"])
      for (const [status, error, type, retryable] of cases) {
        const runId = await bed.start(flow);
        (await models.next()).refuse(status, error);
        expect([status, await fails(bed, runId)]).toMatchObject([status, { type, retryable }]);
      }

    // What is wrong with the stream.
    const streams: [string, (request: ModelRequest) => void][] = [
      ["STREAM_CUT", (request) => request.cut()],
      ["STREAM_CUT", (request) => request.hangUp()],
      ["ANSWER_UNREADABLE", (request) => request.raw("data: {nonsense\n\n")],
      ["ANSWER_TOO_LARGE", (request) => request.add("x".repeat(10_000_000))],
      ["CONTENT_REFUSED", (request) => request.end({ finishReason: "content_filter" })],
    ];
    for (const [type, answer] of streams) {
      const runId = await bed.start("fails");
      const request = await models.next();
      request.begin();
      request.add("half an");
      answer(request);
      expect([type, await fails(bed, runId)]).toMatchObject([type, { type }]);
    }

    // Retry-After sets the delay; the attempt is used up.
    const runId = await run(bed, "later", "prompt: hi", ", retry_policy: {max_retries: 1, initial_delay: 10ms}");
    (await models.next()).refuse(429, { error: { message: "slow down" } }, { "retry-after": "2" });
    const at = performance.now();
    (await models.next()).say("now");
    expect(performance.now() - at).toBeGreaterThan(1_900);
    await completes(bed, runId);
  },
  SLOW_MS,
);

test(
  "a cancel and a timeout close the connection to the provider",
  async () => {
    const bed = await openBed();
    let runId = await run(bed, "cancel", "prompt: hi");
    let request = await bed.models.next();
    request.begin();
    request.add("never ");
    await bed.client.call(RunService.method.cancelRun, { runId });
    await request.closed;
    await bed.reaches(runId, RunState.CANCELED);

    runId = await run(bed, "timeout", "prompt: hi", ", timeout: 1");
    request = await bed.models.next();
    request.begin();
    await request.closed;
    expect(await fails(bed, runId)).toMatchObject({ type: "TIMEOUT" });
  },
  SLOW_MS,
);

test(
  "text is watched while it is written, and a flow names only providers that are there",
  async () => {
    const bed = await openBed();
    const runId = await run(bed, "watch", "prompt: hi");
    const request = await bed.models.next();
    const stop = new AbortController();
    let seen = "";
    const watch = (async () => {
      const frames = bed.client.stream(
        RunService.method.watchRun,
        { runId, includeEphemeral: true },
        { signal: stop.signal },
      );
      for await (const { frame } of frames)
        if (frame.case === "event" && frame.value.detail.case === "token") seen += frame.value.detail.value.text;
    })().catch(() => {}); // it is stopped below
    request.begin();
    await eventually(async () => {
      request.add("word ");
      expect(seen).toMatch(/word word/);
    });
    request.end();
    await completes(bed, runId);
    stop.abort();
    await watch;

    const problemsOf = async (parameters: string): Promise<string[]> => {
      const value = `id: x\nname: x\nversion: "1"\nworkflow:\n${ask(parameters)}`;
      const definition = { case: "source" as const, value };
      const { problems } = await bed.client.call(FlowService.method.registerFlow, { definition, validateOnly: true });
      return problems.map(({ message }) => message);
    };
    expect(await problemsOf("prompt: hi, promt: ho")).toEqual([
      expect.stringMatching(/^models do not know this parameter; did you mean "prompt"/),
    ]);
    expect(await problemsOf("prompt: hi, provider: mistral")).toEqual([
      expect.stringMatching(
        /^models.providers has no provider mistral, and agents .* the service has none; set models/,
      ),
    ]);
    expect(await problemsOf("prompt: hi, transport: agent")).toHaveLength(1);
    expect(await problemsOf("prompt: hi, messages: [{role: user, content: ho}]")).toEqual([
      "set either prompt or messages",
    ]);
    expect(await problemsOf("prompt: hi, fallback: [{provider: opens, model: x, on: [TIMEOUT]}]")).toEqual([
      expect.stringMatching(/^there is no provider opens; did you mean "open"/),
    ]);
  },
  SLOW_MS,
);

test(
  "the requests of a model are bounded in a minute",
  async () => {
    const bed = await openBed();
    await bed.register("rare", ask("prompt: hi, model: rare"));
    const first = await bed.start("rare");
    (await bed.models.next()).say("one");
    await completes(bed, first);
    const second = await bed.start("rare");
    await eventually(async () => {
      const { findings } = await bed.client.call(RunService.method.diagnoseRun, { runId: second });
      expect(findings.map(({ message }) => message).join()).toMatch(/limit models/);
    });
    expect(bed.models.count()).toBe(1);
  },
  SLOW_MS,
);

test(
  "the tokens of a model are bounded in a minute, and a call that no minute can take fails",
  async () => {
    const bed = await openBed();
    await bed.register("slim", ask("prompt: hi, model: slim"));
    const started = [await bed.start("slim"), await bed.start("slim")];
    const first = await bed.models.next();
    await eventually(async () => {
      const found = await Promise.all(
        started.map((runId) => bed.client.call(RunService.method.diagnoseRun, { runId })),
      );
      const messages = found.flatMap(({ findings }) => findings.map(({ message }) => message)).join("\n");
      expect(messages).toMatch(/the minute of open\/slim has \d+ of 150 left/);
    });
    expect(bed.models.count()).toBe(1);
    // What the first one does not use is free for the second.
    first.say("one");
    (await bed.models.next()).say("two");
    for (const runId of started) await completes(bed, runId);
    await bed.register("large", ask("prompt: hi, model: slim, max_tokens: 200"));
    const { run } = await bed.client.call(RunService.method.waitRun, {
      ...{ runId: await bed.start("large"), wait: { seconds: 20n } },
    });
    expect(run?.error).toMatchObject({ type: "TOKENS_PER_MINUTE_EXCEEDED" });
  },
  SLOW_MS,
);
