/** Pending responses of a connection. A caller can pipeline requests; their responses go out in the same order. */
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";

interface Owed {
  /** Unfinished responses. */
  readonly open: Set<ServerResponse>;
  last: ServerResponse;
}

const owedBy = new WeakMap<Socket, Owed>();

/** Adds the response to a new request. */
export function noteResponse(socket: Socket, response: ServerResponse): void {
  const owed = owedBy.get(socket) ?? { open: new Set(), last: response };
  owedBy.set(socket, owed);
  owed.last = response;
  owed.open.add(response);
  response.once("close", () => owed.open.delete(response));
}

/** The response to the latest request; undefined before the first request. */
export function lastResponse(socket: Socket): ServerResponse | undefined {
  return owedBy.get(socket)?.last;
}

/** Returns true when a response of the connection has not ended. */
export function owesResponse(socket: Socket): boolean {
  return (owedBy.get(socket)?.open.size ?? 0) > 0;
}

/**
 * Ends a connection whose next bytes cannot be parsed. Responses to complete requests go out first, however long they
 * take. Then `refusal` follows, unless the latest request is the broken one and already has a response.
 */
export function endBroken(socket: Socket, refusal: Buffer): void {
  const owed = owedBy.get(socket);
  const broken = owed?.last.req.complete === false ? owed.last : undefined;
  const next = [...(owed?.open ?? [])].find((response) => response !== broken || response.headersSent);
  if (next !== undefined) {
    next.once("close", () => endBroken(socket, refusal));
    return;
  }
  if (!socket.writable || broken?.headersSent === true) socket.destroy();
  // Ended, not destroyed: a half-closed caller would lose the response.
  else socket.end(refusal, () => socket.destroy());
}
