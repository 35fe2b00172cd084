/** Counts the statements that clients send to PostgreSQL, without the server's own work such as autovacuum. */
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { onTestFinished } from "vitest";

export interface StatementCounter {
  /** The database of `url` through the counter. */
  readonly url: string;
  /** Statements so far. */
  count(): number;
}

/** Stands before the server of a test database until the end of the test. */
export async function countStatements(url: string): Promise<StatementCounter> {
  const { port, searchParams, pathname, username } = new URL(url);
  const socketPath = `${searchParams.get("host")}/.s.PGSQL.${port}`;
  let statements = 0;
  const server = createServer((client) => {
    const upstream = connect(socketPath);
    const end = (): void => {
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) socket.on("error", end).on("close", end);
    let unread = Buffer.alloc(0);
    // The first message of a connection has no type.
    let headBytes = 0;
    client.on("data", (chunk) => {
      unread = Buffer.concat([unread, chunk]);
      for (;;) {
        if (unread.length < headBytes + 4) break;
        const length = headBytes + unread.readInt32BE(headBytes);
        if (unread.length < length) break;
        if (headBytes === 1 && "QE".includes(String.fromCharCode(unread[0] ?? 0))) statements += 1;
        unread = unread.subarray(length);
        headBytes = 1;
      }
    });
    client.pipe(upstream).pipe(client);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  onTestFinished(() => {
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the counter has no port");
  return { url: `postgresql://${username}@127.0.0.1:${address.port}${pathname}`, count: () => statements };
}
