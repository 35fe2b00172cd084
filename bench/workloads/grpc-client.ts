/**
 * A plain gRPC client of the service: `@grpc/grpc-js` and the generated messages, one connection, as a Node service
 * would use it.
 */
import {
  create,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { Client, credentials } from "@grpc/grpc-js";

/** Calls unary methods over one channel. */
export interface GrpcClient {
  readonly call: <M extends DescMethodUnary>(
    method: M,
    request: MessageInitShape<M["input"]>,
  ) => Promise<MessageShape<M["output"]>>;
  readonly close: () => void;
}

/** Opens a channel to a local port. */
export function openGrpcClient(port: number): GrpcClient {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
    "grpc.max_receive_message_length": 64 * 1024 * 1024,
    "grpc.max_send_message_length": 64 * 1024 * 1024,
  });
  return {
    call: (method, request) =>
      new Promise((resolve, reject) => {
        client.makeUnaryRequest(
          `/${method.parent.typeName}/${method.name}`,
          (message: MessageShape<typeof method.input>) => Buffer.from(toBinary(method.input, message)),
          (bytes: Buffer) => fromBinary(method.output, bytes),
          create(method.input, request) as MessageShape<typeof method.input>,
          (error, response) => {
            if (error !== null) reject(error);
            else if (response === undefined) reject(new Error(`${method.name} answered nothing`));
            else resolve(response as never);
          },
        );
      }),
    close: () => client.close(),
  };
}
