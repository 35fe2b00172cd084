/** The service as faults use it. */
import { setTimeout as sleep } from "node:timers/promises";
import { onTestFinished } from "vitest";
import { type ServeProcess, startServeForTest } from "../../../support/serve-process.ts";
import { createTemporaryFolder } from "../../../support/temporary-folder.ts";

/** A running instance. */
export interface Instance extends ServeProcess {
  /** Calls it over REST. Throws if it does not answer with 200. */
  post(path: string, body: object): Promise<unknown>;
  register(flowId: string, ...tasks: readonly object[]): Promise<void>;
  /** Starts a run and returns its id. */
  start(flowId: string): Promise<string>;
}

/** Starts an instance that ends with the test. Flows of it may call this machine. */
export async function startInstance(url: string, env: Readonly<Record<string, string>> = {}): Promise<Instance> {
  const service = await startServeForTest({
    folder: createTemporaryFolder(),
    env: { DATABASE_URL: url, ORCHESTRATOR_HTTP_ALLOW: "127.0.0.1", ...env },
  });
  const post = async (path: string, body: object): Promise<unknown> => {
    const headers = { "content-type": "application/json" };
    const request = { method: "POST", headers, body: JSON.stringify(body) };
    const send = (): Promise<Response> => fetch(`http://${service.address}${path}`, request);
    // A connection that was idle may be closed while it is used again.
    const answer = await send().catch(send);
    const text = await answer.text();
    if (answer.status !== 200) throw new Error(`${path} was answered with ${answer.status}: ${text}`);
    return JSON.parse(text);
  };
  return {
    ...service,
    post,
    register: async (flowId, ...tasks) => {
      await post("/v1/flows", { source: JSON.stringify({ id: flowId, workflow: { tasks } }) });
    },
    start: async (flowId) => {
      const { run } = (await post("/v1/runs", { flow_id: flowId })) as { readonly run: { readonly runId: string } };
      return run.runId;
    },
  };
}

/** Makes calls, whatever comes of them, until it is stopped or the test ends. `atOnce`: so many at a time. */
export function keepCalling(call: () => Promise<unknown>, pauseMs: number, atOnce = 1): () => Promise<void> {
  const stopping = new AbortController();
  const loop = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      await call().catch(() => {}); // they are to fail
      await sleep(pauseMs, undefined, { signal: stopping.signal }).catch(() => {}); // stopped
    }
  };
  const loops = Promise.all(Array.from({ length: atOnce }, loop));
  const stop = async (): Promise<void> => {
    stopping.abort();
    await loops;
  };
  onTestFinished(stop);
  return stop;
}
