/** Declares a service: a descriptor, its handlers, and the ports that the handlers need. */
import type { DescService } from "@bufbuild/protobuf";
import type { ServiceHandlers, StreamHandler, UnaryHandler } from "./call.ts";
import { type ServedMethod, serveMethod } from "./methods.ts";

/** A service of a contract. `Needs` are the ports and settings of its handlers. */
export interface ServiceDefinition<Needs> {
  readonly desc: DescService;
  readonly createHandlers: (needs: Needs) => object;
  /** Other paths of methods, by the local name of the method. */
  readonly aliases: Readonly<Record<string, readonly string[]>>;
}

/** Defines a service. `createHandlers` returns a handler for each method of `desc`. */
export function defineService<S extends DescService, Needs>(
  desc: S,
  createHandlers: (needs: Needs) => ServiceHandlers<S>,
  aliases: { readonly [M in keyof S["method"]]?: readonly string[] } = {},
): ServiceDefinition<Needs> {
  return { desc, createHandlers, aliases: aliases as Readonly<Record<string, readonly string[]>> };
}

/** Everything that the services of a list need. */
export type NeedsOf<List extends readonly ServiceDefinition<never>[]> = [List[number]["createHandlers"]] extends [
  (needs: infer Needs) => object,
]
  ? Needs
  : never;

/**
 * The methods of all services. Throws for a method that is neither unary nor server-streaming, or has unsupported
 * rules.
 */
export function serveServices<const List extends readonly ServiceDefinition<never>[]>(
  services: List,
  needs: NeedsOf<List>,
): readonly ServedMethod[] {
  return services.flatMap(({ desc, createHandlers, aliases }) => {
    const handlers = createHandlers(needs as never) as Readonly<Record<string, UnaryHandler | StreamHandler>>;
    return desc.methods.map((method) => {
      const handler = handlers[method.localName];
      if (handler === undefined) throw new Error(`${method.toString()} has no handler`);
      return { ...serveMethod(method, handler), aliases: aliases[method.localName] ?? [] };
    });
  });
}

/** The Protobuf packages of the services, sorted. */
export function packagesOf(services: readonly ServiceDefinition<never>[]): readonly string[] {
  return [...new Set(services.map(({ desc }) => desc.file.proto.package))].sort();
}
