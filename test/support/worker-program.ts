/**
 * A worker as a process, which a test may stop: `node worker-program.ts ADDRESS`. It acknowledges each task and prints
 * that. With each line that it reads it reports the result of the last task, and prints the outcome.
 */
import { createInterface } from "node:readline";
import { openGrpcClient } from "../../src/api/client/grpc-client.ts";
import { holdTasks } from "./held-tasks.ts";

const client = openGrpcClient({ address: process.argv[2] ?? "" });
const worker = await holdTasks(client, ["hold"], 1);
let token = "";

createInterface({ input: process.stdin }).on("line", () => {
  void worker.report(token, "succeeded").then(({ outcome }) => console.log(JSON.stringify({ outcome })));
});

for (;;) {
  const { taskToken, runId, attempt } = await worker.next();
  token = taskToken;
  await worker.report(token, "acknowledged");
  console.log(JSON.stringify({ runId, attempt }));
}
