/**
 * Registers a flow, starts it, watches it to its end and asks for one that is missing, with protobuf-ts and its
 * gRPC-Web transport at its defaults. Arguments: the file of the flow. ORCHESTRATOR_TEST_ADDR: host and port of the
 * service. Prints one line of JSON.
 */
import { readFileSync } from "node:fs";
import { GrpcWebFetchTransport } from "@protobuf-ts/grpcweb-transport";
import { RpcError } from "@protobuf-ts/runtime-rpc";
import { FlowServiceClient, RunServiceClient, RunState, StartRunRequest } from "orchestrator-flows-client/v1";
import { Value } from "orchestrator-flows-client/wkt";

const transport = new GrpcWebFetchTransport({ baseUrl: `http://${process.env.ORCHESTRATOR_TEST_ADDR}` });
const flows = new FlowServiceClient(transport);
const runs = new RunServiceClient(transport);
const source = readFileSync(process.argv[2] ?? "", "utf8");
const frames: string[] = [];
let ordered = true;
let last = 0;
let state = "";
let output: unknown = null;

const { response: registered } = await flows.registerFlow({
  definition: { oneofKind: "source", source },
  validateOnly: false,
  requestId: "",
});
const start = StartRunRequest.create({
  flowId: "client-check",
  inputValue: { oneofKind: "inputJson", inputJson: new TextEncoder().encode('{"count": 21}') },
});
const { response: started } = await runs.startRun(start);
const watch = runs.watchRun({ runId: started.run?.runId ?? "", cursor: "", includeEphemeral: false });
for await (const { frame } of watch.responses) {
  if (frame.oneofKind === "snapshot") last = frame.snapshot.run?.sequence ?? 0;
  if (frame.oneofKind === "event" && frame.event.durable) {
    ordered &&= frame.event.sequence === last + 1;
    last = frame.event.sequence;
  }
  if (frame.oneofKind === "end") {
    const run = frame.end.run;
    state = `RUN_STATE_${RunState[run?.state ?? 0]}`;
    output = run?.outputValue.oneofKind === "output" ? Value.toJson(run.outputValue.output) : null;
  }
  if (["snapshot", "event", "end"].includes(frame.oneofKind ?? "")) frames.push(frame.oneofKind ?? "");
}
const { response: waited } = await runs.startRun({ ...start, wait: { seconds: 20n, nanos: 0 } });
const code = await runs.startRun(StartRunRequest.create({ flowId: "missing" })).then(
  () => "OK",
  (error: unknown) => (error instanceof RpcError ? error.code : String(error)),
);
console.log(
  JSON.stringify({
    flow: `${registered.flow?.flowId}@${registered.flow?.version}`,
    frames,
    ordered,
    state,
    output,
    waited: `RUN_STATE_${RunState[waited.run?.state ?? 0]}`,
    code,
  }),
);
