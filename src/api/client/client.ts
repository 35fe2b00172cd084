/** How programs of this package call the service: over gRPC, or the same methods in this process. */
import type {
  DescMessage,
  DescMethodServerStreaming,
  DescMethodUnary,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";

/** Bounds of one call. */
export interface ClientCallOptions {
  /** Deadline of a unary call, milliseconds; 30,000. */
  readonly timeoutMs?: number;
  /** Gives the call up. */
  readonly signal?: AbortSignal;
}

/**
 * A client of the service. Errors are those of the catalogue, as the service gave them; SERVICE_UNREACHABLE when
 * nothing answers, CALL_REFUSED when the answer is not of this service.
 */
export interface ApiClient {
  /** Calls a unary method. */
  call<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    options?: ClientCallOptions,
  ): Promise<MessageShape<O>>;
  /** Calls a server-streaming method. Ending the iteration ends the call. */
  stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageInitShape<I>,
    options?: ClientCallOptions,
  ): AsyncIterable<MessageShape<O>>;
  close(): Promise<void>;
}
