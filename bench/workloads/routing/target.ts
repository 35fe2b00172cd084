/** The service that routed tasks call: it answers at once. Sends its port to the process that forked it. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

const BODY = '{"status":"ok"}';
const server = createServer((request, response) => {
  request.resume();
  response.writeHead(200, { "content-type": "application/json", "content-length": BODY.length }).end(BODY);
});
server.keepAliveTimeout = 600_000;
server.listen(0, "127.0.0.1", () => process.send?.((server.address() as AddressInfo).port));
process.on("disconnect", () => process.exit(0));
