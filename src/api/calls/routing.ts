/** Where calls of a method are handled when there are several instances, from the policy of the contract. */
import type { DescMessage, DescMethod, Message } from "@bufbuild/protobuf";
import { getOption, hasOption } from "@bufbuild/protobuf";
import { policy } from "../../gen/orchestrator/options/v1/options_pb.ts";
import type { UnaryHandler } from "./call.ts";
import type { ServedMethod } from "./methods.ts";

/** Where a call is handled. Names are local names of fields. */
export type Routing =
  | { readonly to: "any_instance" }
  /** By the instance that owns the run that this field of the request names; empty: by one that takes new runs. */
  | { readonly to: "owner"; readonly field: string }
  /** Each item where a call of its own would be handled. */
  | { readonly to: "batch"; readonly items: string; readonly results: string };

/** Makes the handler of a method handle its calls where they belong. Called once for each method. */
export type Route = (method: ServedMethod, handler: UnaryHandler) => UnaryHandler;

const ANY_INSTANCE: Routing = { to: "any_instance" };

/**
 * The routing of a method. Methods of other contracts, which have no policy, are answered by any instance. Throws when
 * the policy has no routing, or names a field that is not there.
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
 * The run that decides where a call belongs; empty for a start that may go anywhere, and for methods that are not
 * routed by a run.
 */
export function ownedRunOf({ routing }: Pick<ServedMethod, "routing">, request: Message): string {
  return routing.to === "owner" ? String((request as unknown as Readonly<Record<string, unknown>>)[routing.field]) : "";
}

function localName(message: DescMessage, name: string): string {
  const field = message.fields.find((one) => one.name === name);
  if (field === undefined) throw new Error(`${message.typeName} has no field ${name}, by which calls are routed`);
  return field.localName;
}
