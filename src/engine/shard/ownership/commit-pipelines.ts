import type { Journal } from "../../ports/journal.ts";
import { CommitPipeline, type PipelineParts } from "./commit-pipeline.ts";

/** The commit pipelines of an instance, each for a part of the shards. */
export class CommitPipelines {
  readonly #parts: PipelineParts;
  #pipelines: readonly CommitPipeline[] = [];

  constructor(parts: PipelineParts) {
    this.#parts = parts;
  }

  /** Opens `count` pipelines, each with its own connection. */
  async open(journal: Pick<Journal, "openWriter">, count: number): Promise<void> {
    const open = async (index: number) =>
      new CommitPipeline(index, await journal.openWriter(String(index)), this.#parts);
    this.#pipelines = await Promise.all(Array.from({ length: count }, (_, index) => open(index)));
  }

  /** The pipeline of a shard. */
  of(shard: number): CommitPipeline {
    const pipeline = this.#pipelines[this.#parts.shards.pipelineOf(shard)];
    if (pipeline === undefined) throw new Error("the runtime is not open");
    return pipeline;
  }

  /** Resolves when everything pending has been written or abandoned. */
  async drain(): Promise<void> {
    await Promise.all(this.#pipelines.map((pipeline) => pipeline.drain()));
  }

  async close(): Promise<void> {
    await Promise.all(this.#pipelines.map((pipeline) => pipeline.close()));
  }
}
