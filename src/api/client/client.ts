/** Interface of the clients that this package uses to call the service, over gRPC or in the same process. */
import type {
  DescMessage,
  DescMethodServerStreaming,
  DescMethodUnary,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";

/** Options of one call. */
export interface ClientCallOptions {
  /** Timeout of a unary call, milliseconds; default 30,000. */
  readonly timeoutMs?: number;
  /** Cancels the call. */
  readonly signal?: AbortSignal;
}

/**
 * A client of the service. Throws the errors that the service returns, SERVICE_UNREACHABLE when nothing answers, and
 * CALL_REFUSED when something else than this service answers.
 */
export interface ApiClient {
  /** Calls a unary method. */
  call<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    options?: ClientCallOptions,
  ): Promise<MessageShape<O>>;
  /** Calls a server-streaming method. Ending the iteration cancels the call. */
  stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageInitShape<I>,
    options?: ClientCallOptions,
  ): AsyncIterable<MessageShape<O>>;
  close(): Promise<void>;
}
