/**
 * A worker as a process, whose handler has an effect outside: `node effect-worker.ts ADDRESS SINK`. It does tasks of
 * the handler `double` until it is killed: it tells the sink the idempotency key and the fencing token, and doubles a
 * number.
 */
import { openGrpcClient } from "../../src/api/client/grpc-client.ts";
import { startWorker } from "./worker.ts";

const [address = "", sink = ""] = process.argv.slice(2);

startWorker(openGrpcClient({ address }), {
  double: async ({ task, acknowledge }) => {
    await acknowledge();
    const { idempotencyKey: key, fencingToken: fence } = task;
    const body = new TextDecoder().decode(task.inputJson);
    await fetch(sink, { method: "POST", body: JSON.stringify({ key, fence, body }) });
    return 2 * (JSON.parse(body) as number);
  },
});
console.log("begun");
