/**
 * Requests of an HTTP/1.1 connection are served one after the other (RFC 9112, 9.3.2, lets a server do otherwise only
 * for methods that are safe). So a caller that sends many requests and reads nothing holds one response, not one for
 * each of them; and as long as a request waits for its turn, nothing more is read.
 */
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";

interface Turns {
  current: ServerResponse | null;
  readonly waiting: [ServerResponse, () => void][];
}

const turnsOf = new WeakMap<Socket, Turns>();

/** Calls `serve` when the responses before this one were handed to the system, unless the connection has closed. */
export function serveInTurn(socket: Socket, response: ServerResponse, serve: () => void): void {
  let turns = turnsOf.get(socket);
  if (turns === undefined) {
    turns = { current: null, waiting: [] };
    turnsOf.set(socket, turns);
  }
  if (turns.current === null) begin(socket, turns, response, serve);
  else {
    turns.waiting.push([response, serve]);
    socket.pause();
  }
}

function begin(socket: Socket, turns: Turns, response: ServerResponse, serve: () => void): void {
  turns.current = response;
  response.once("close", () => {
    turns.current = null;
    const next = turns.waiting.shift();
    if (next === undefined || socket.destroyed) return;
    if (turns.waiting.length === 0) socket.resume();
    begin(socket, turns, ...next);
  });
  serve();
}
