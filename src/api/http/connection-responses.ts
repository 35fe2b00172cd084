/**
 * The responses that a connection owes. A caller may send several requests in a row; their responses go out in the same
 * order.
 */
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";

interface Owed {
  /** Responses that have not ended. */
  readonly open: Set<ServerResponse>;
  last: ServerResponse;
}

const owedBy = new WeakMap<Socket, Owed>();

/** Notes the response to a request that has just arrived. */
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

/**
 * Ends a connection whose next bytes cannot be read. The responses to whole requests go out first, however long they
 * take. Then `refusal` follows, unless the latest request is the broken one and has a response already.
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
  // Ended rather than destroyed: a half-closed caller would lose the answer.
  else socket.end(refusal, () => socket.destroy());
}
