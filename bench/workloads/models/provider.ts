/**
 * A provider of models that answers at once, in the protocol of OpenAI. Sends its port to the process that forked it.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

const event = (more: object): string =>
  `data: ${JSON.stringify({ id: "c", object: "chat.completion.chunk", created: 1, model: "m", ...more })}\n\n`;
const choice = (delta: object, finish: string | null): string =>
  event({ choices: [{ index: 0, delta, finish_reason: finish }] });

const ANSWER = [
  choice({ role: "assistant", content: "yes" }, null),
  choice({}, "stop"),
  event({ choices: [], usage: { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 } }),
  "data: [DONE]\n\n",
].join("");

const server = createServer((request, response) => {
  request.resume();
  request.once("end", () => response.writeHead(200, { "content-type": "text/event-stream" }).end(ANSWER));
});
server.keepAliveTimeout = 600_000;
server.listen(0, "127.0.0.1", () => process.send?.((server.address() as AddressInfo).port));
process.on("disconnect", () => process.exit(0));
