/** Server reflection (v1 and v1alpha) for tools such as grpcurl. Disabled by default, and loaded only when enabled. */
import { Duplex } from "node:stream";
import type { DescFile } from "@bufbuild/protobuf";
import { toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { toError } from "../../base/errors.ts";
import { file_google_rpc_error_details } from "../../gen/google/rpc/error_details_pb.ts";
import type { ServedMethod } from "../calls/methods.ts";
import { PREFIX_BYTES } from "./message-reader.ts";
import type { ServeStream } from "./server.ts";

/** Reflection over the files of the methods and their imports, by path. */
export async function createReflection(methods: readonly ServedMethod[]): Promise<ReadonlyMap<string, ServeStream>> {
  const { ReflectionService } = await import("@grpc/reflection");
  const files = new Map<string, DescFile>();
  for (const method of methods) collectFiles(method.desc.parent.file, files);
  // Tools print the details of errors only if they know their types.
  collectFiles(file_google_rpc_error_details, files);
  const fileDescriptorProtos = [...files.values()].map((file) =>
    Buffer.from(toBinary(FileDescriptorProtoSchema, file.proto)),
  );
  // The library reads only the file descriptors of a package.
  const root = { files: { fileDescriptorProtos } };
  const services = [...new Set(methods.map((method) => method.service))];
  const reflection = new ReflectionService(root as never, { services });
  const served = new Map<string, ServeStream>();
  reflection.addToServer({
    addService: (definition, implementation) => {
      for (const [name, { path, requestDeserialize, responseSerialize }] of Object.entries(definition)) {
        const serve = implementation[name] as unknown as (messages: Duplex) => void;
        served.set(path, serveMessages(serve, requestDeserialize, responseSerialize));
      }
    },
  });
  return served;
}

/** Serves a bidirectional handler of the library. */
function serveMessages(
  serve: (messages: Duplex) => void,
  deserialize: (bytes: Buffer) => unknown,
  serialize: (message: unknown) => Buffer,
): ServeStream {
  return (stream) => {
    const messages = new Duplex({
      objectMode: true,
      read() {},
      write(message, _encoding, done) {
        stream.send(Buffer.concat([Buffer.alloc(PREFIX_BYTES), serialize(message)]));
        done();
      },
      final(done) {
        stream.end();
        done();
      },
    });
    stream.onGone = () => messages.destroy();
    serve(messages);
    stream.read({
      message(bytes) {
        try {
          messages.push(deserialize(bytes));
        } catch (cause) {
          throw toError("REQUEST_MALFORMED", { problem: "not a ServerReflectionRequest in Protobuf" }, { cause });
        }
      },
      end: () => void messages.push(null),
    });
  };
}

function collectFiles(file: DescFile, files: Map<string, DescFile>): void {
  if (files.has(file.name)) return;
  for (const dependency of file.dependencies) collectFiles(dependency, files);
  files.set(file.name, file);
}
