/** Connections are made only to addresses that the policy allows, and to exactly those addresses. */
import { lookup as resolveByDns } from "node:dns";
import { isIP, type LookupFunction } from "node:net";
import type { AddressPolicy, Destination } from "./address-policy.ts";

/** The policy forbids the address. */
export class AddressRefused extends Error {}

/** No connection was established, so nothing was sent. `cause` has the reason. */
export class ConnectFailed extends Error {}

/**
 * Creates a resolver for the connections to one destination. A name is resolved once per connection, and the connection
 * uses an allowed address from that result, so a name that resolves differently between check and use gains nothing.
 * Fails with {@link AddressRefused}.
 */
export function createGuardedLookup(
  policy: AddressPolicy,
  destination: Destination,
  resolve: LookupFunction = resolveByDns as LookupFunction,
): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, answer) => {
      if (error !== null) return callback(error, "");
      const found = Array.isArray(answer) ? answer : [];
      const allowed = found.filter(({ address }) => policy.judge(address, destination) === null);
      const [first] = allowed;
      if (first === undefined) {
        const why = policy.judge(found[0]?.address ?? "", destination) ?? "";
        return callback(refuse(destination, why), "");
      }
      if (options.all === true) callback(null, allowed);
      else callback(null, first.address, first.family);
    });
  };
}

/**
 * Checks a destination that is an IP literal: Node connects to those without calling a resolver. Throws
 * {@link AddressRefused}.
 */
export function checkLiteralAddress(policy: AddressPolicy, destination: Destination): void {
  const why = isIP(destination.host) === 0 ? null : policy.judge(destination.host, destination);
  if (why !== null) throw refuse(destination, why);
}

function refuse({ host, port }: Destination, why: string): AddressRefused {
  return new AddressRefused(`${host}:${port} is ${why}`);
}
