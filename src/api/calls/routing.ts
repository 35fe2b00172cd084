/** Which instance handles the calls of a method, from its policy in the contract. */
import type { DescMessage, DescMethod, Message } from "@bufbuild/protobuf";
import { getOption, hasOption } from "@bufbuild/protobuf";
import { policy } from "../../gen/orchestrator/options/v1/options_pb.ts";
import type { UnaryHandler } from "./call.ts";
import type { ServedMethod } from "./methods.ts";

/** Where a call is handled. Fields have their local names. */
export type Routing =
  | { readonly to: "any_instance" }
  /** The instance that owns the run in this field; if it is empty, any instance that accepts new runs. */
  | { readonly to: "owner"; readonly field: string }
  /** Each item is handled where a call of its own would be. */
  | { readonly to: "batch"; readonly items: string; readonly results: string };

/** Wraps the handler of a method so that its calls go to the right instance. Called once for each method. */
export type Route = (method: ServedMethod, handler: UnaryHandler) => UnaryHandler;

const ANY_INSTANCE: Routing = { to: "any_instance" };

/**
 * Compiles the routing of a method. Any instance answers methods of other contracts, which have no policy. Throws if
 * the policy has no routing or names an unknown field.
 */
export function compileRouting(desc: DescMethod): Routing {
  if (!hasOption(desc, policy)) return ANY_INSTANCE;
  const to = getOption(desc, policy).routing?.to;
  switch (to?.case) {
    case undefined:
      throw new Error(`${desc.toString()} does not say in its policy which instance handles its calls`);
    case "anyInstance":
      return ANY_INSTANCE;
    case "ownerOf":
      return { to: "owner", field: localName(desc.input, to.value) };
    case "batch": {
      const { items, ownerOf, results } = to.value;
      const item = desc.input.fields.find(({ name }) => name === items)?.message;
      if (item === undefined) throw new Error(`${desc.toString()} is routed by ${items}, which holds no messages`);
      localName(item, ownerOf);
      return { to: "batch", items: localName(desc.input, items), results: localName(desc.output, results) };
    }
  }
}

/**
 * The run by which a call is routed; empty for a start that can go anywhere, and for methods that are not routed by
 * run.
 */
export function ownedRunOf({ routing }: Pick<ServedMethod, "routing">, request: Message): string {
  return routing.to === "owner" ? String((request as unknown as Readonly<Record<string, unknown>>)[routing.field]) : "";
}

function localName(message: DescMessage, name: string): string {
  const field = message.fields.find((one) => one.name === name);
  if (field === undefined) throw new Error(`${message.typeName} has no field ${name}, by which calls are routed`);
  return field.localName;
}
