/** The client inside the service: the same methods and pipeline, without a port. */
import type { DescMethod, Message } from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import type { Log } from "../../base/log.ts";
import { Call } from "../calls/call.ts";
import { ACTOR_KEY, type CallHeaders, encodeActor } from "../calls/caller.ts";
import { identifyByName } from "../calls/identity.ts";
import type { ServedMethod } from "../calls/methods.ts";
import { type CallMetrics, createPipeline, type Pipeline } from "../calls/pipeline.ts";
import type { ApiClient, ClientCallOptions } from "./client.ts";

const NO_METRICS: CallMetrics = { forMethod: () => ({ started() {}, finished() {}, sent() {} }) };

/** No encoding: client and service share the message. */
const asItIs = (message: Message): Message => message;

/** Makes clients that call as somebody: the headers hold name and credential, and `x-request-id`. */
export type LocalCalls = (headers: CallHeaders) => ApiClient;

/** Creates clients of a pipeline that serves `methods`. Closing one closes nothing else. */
export function createLocalCalls(methods: readonly ServedMethod[], pipeline: Pipeline): LocalCalls {
  const served = new Map(methods.map((method) => [method.desc, method]));
  return (headers) => {
    const begin = (method: DescMethod, { timeoutMs, signal }: ClientCallOptions) => {
      const found = served.get(method);
      if (found === undefined) throw new Error(`${method.parent.typeName}/${method.name} is not served here`);
      const call = new Call("grpc", timeoutMs, headers);
      const cancel = (): void => call.cancel();
      if (signal?.aborted === true) cancel();
      signal?.addEventListener("abort", cancel, { once: true });
      return { found, call, end: () => signal?.removeEventListener("abort", cancel) };
    };
    return {
      call: (method, init, options = {}) =>
        new Promise((resolve, reject) => {
          const { found, call, end } = begin(method, options);
          const decode = (): Message => create(method.input, init) as Message;
          pipeline.runUnary(found, call, decode, asItIs, (error, response) => {
            end();
            if (error === null) resolve(response as never);
            else reject(error);
          });
        }),
      async *stream(method, init, options = {}) {
        const { found, call, end } = begin(method, options);
        const { input }: DescMethod = method;
        try {
          for await (const message of pipeline.runStream(found, call, () => create(input, init as never), asItIs))
            yield message as never;
        } finally {
          end();
          call.cancel();
        }
      },
      close: () => Promise.resolve(),
    };
  };
}

/** A client of `methods` that acts as `actor`, which may be empty. Closing it closes nothing else. */
export function createLocalClient(methods: readonly ServedMethod[], log: Log, actor = ""): ApiClient {
  const pipeline = createPipeline({ methods, log, metrics: NO_METRICS, identify: identifyByName });
  return createLocalCalls(methods, pipeline)(new Map([[ACTOR_KEY, encodeActor(actor)]]));
}
