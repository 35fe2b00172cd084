/** Server reflection (v1 and v1alpha) for tools such as grpcurl. Off unless the configuration says otherwise; loaded only then. */
import type { DescFile } from "@bufbuild/protobuf";
import { toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { file_google_rpc_error_details } from "../../gen/google/rpc/error_details_pb.ts";
import type { ServedMethod } from "../methods.ts";
import type { ExtraService } from "./server.ts";

/** Reflection over the files of the given methods and all that they import. */
export async function createReflection(methods: readonly ServedMethod[]): Promise<ExtraService> {
  const { ReflectionService } = await import("@grpc/reflection");
  const files = new Map<string, DescFile>();
  for (const method of methods) collectFiles(method.desc.parent.file, files);
  // Tools print the details of errors only when they know their types.
  collectFiles(file_google_rpc_error_details, files);
  const fileDescriptorProtos = [...files.values()].map((file) =>
    Buffer.from(toBinary(FileDescriptorProtoSchema, file.proto)),
  );
  // The library reads nothing of a package but the descriptors of its files.
  const root = { files: { fileDescriptorProtos } };
  const services = [...new Set(methods.map((method) => method.service))];
  const reflection = new ReflectionService(root as never, { services });
  return { addToServer: (server) => reflection.addToServer(server) };
}

function collectFiles(file: DescFile, files: Map<string, DescFile>): void {
  if (files.has(file.name)) return;
  for (const dependency of file.dependencies) collectFiles(dependency, files);
  files.set(file.name, file);
}
