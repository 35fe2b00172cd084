/**
 * LangGraph with its Postgres saver: a graph of three nodes in sequence, invoked in process, with one thread id per
 * run. With `durability: "sync"` the checkpoint of each superstep is committed before the next begins, as the benchmark
 * requires. LangGraph's default, `"async"`, writes it while the next step already runs, and is measured in a separate
 * row.
 */
import { randomUUID } from "node:crypto";
import { Annotation, END, START, StateGraph } from "@langchain/langgraph";
import { PostgresSaver } from "@langchain/langgraph-checkpoint-postgres";
import pg from "pg";
import { serveSubject } from "../harness/subject.ts";
import { versionOf } from "./version.ts";

const RunState = Annotation.Root({ value: Annotation<number>() });

async function doNothing(state: typeof RunState.State): Promise<{ value: number }> {
  return { value: state.value + 1 };
}

serveSubject(async (settings) => {
  const poolSize = Number(settings.poolSize);
  const durability = settings.durability === "async" ? "async" : "sync";
  const pool = new pg.Pool({ connectionString: String(settings.databaseUrl), max: poolSize });
  const saver = new PostgresSaver(pool);
  await saver.setup();
  const graph = new StateGraph(RunState)
    .addNode("first", doNothing)
    .addNode("second", doNothing)
    .addNode("third", doNothing)
    .addEdge(START, "first")
    .addEdge("first", "second")
    .addEdge("second", "third")
    .addEdge("third", END)
    .compile({ checkpointer: saver });
  return {
    about: {
      "@langchain/langgraph": versionOf("@langchain/langgraph"),
      "@langchain/langgraph-checkpoint-postgres": versionOf("@langchain/langgraph-checkpoint-postgres"),
      poolSize,
      durability,
    },
    run: async (index) => {
      const output = await graph.invoke({ value: index }, { durability, configurable: { thread_id: randomUUID() } });
      if (output.value !== index + 3) throw new Error(`LangGraph answered ${output.value} instead of ${index + 3}`);
      return 1;
    },
    close: () => pool.end(),
  };
});
