import { createServer } from "node:net";
import { fail } from "../base/errors.ts";

/**
 * Checks whether a port can be bound, before any slow work begins. Port 0 always can. Other problems with the address
 * are left to the code that listens there. Error: PORT_IN_USE, which names the setting.
 */
export async function checkPort(host: string, port: number, setting: string): Promise<void> {
  if (port === 0) return;
  const server = createServer();
  const problem = await new Promise<NodeJS.ErrnoException | null>((resolve) => {
    server.once("error", resolve);
    server.listen({ host, port }, () => server.close(() => resolve(null)));
  });
  if (problem?.code === "EADDRINUSE") fail("PORT_IN_USE", { port, setting }, { cause: problem });
}
