/**
 * Starts an order and prints what came of it. Arguments: the flow, the card. ORCHESTRATOR_SERVER: host and port of the
 * service.
 */
import { readFileSync } from "node:fs";
import { toJson } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { FlowService, RunService } from "orchestrator-flows-client/connect/v1";

const [, , flow = "order.yaml", card = "4242"] = process.argv;
const transport = createGrpcTransport({ baseUrl: `http://${process.env.ORCHESTRATOR_SERVER ?? "localhost:8002"}` });
await createClient(FlowService, transport).registerFlow({
  definition: { case: "source", value: readFileSync(flow, "utf8") },
});
const { run } = await createClient(RunService, transport).startRun({
  flowId: "worker-order",
  inputValue: { case: "input", value: { items: [{ price: 10, count: 2 }], card } },
  wait: { seconds: 30n },
});
if (run?.error !== undefined) console.log(`${run.error.type}: ${run.error.message}`);
else if (run?.outputValue.case === "output") console.log(JSON.stringify(toJson(ValueSchema, run.outputValue.value)));
