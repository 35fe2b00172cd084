/** The templates that need agents, done by the reference agents as processes over a real Redis. */
import { randomBytes } from "node:crypto";
import { readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { describe, expect, inject, test } from "vitest";
import { RunState } from "../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { TemplateService } from "../../src/gen/orchestrator/v1/template_service_pb.ts";
import { type AgentPlace, serviceVariables, startAgent } from "../support/agent-processes.ts";
import { eventually } from "../support/eventually.ts";
import { createTestDatabase } from "../support/postgres.ts";
import { SHIPPED_TEMPLATES } from "../support/serve-process.ts";
import { openWorkerBed } from "../support/worker-service.ts";

const port = inject("redis");

async function openBed(isStream: boolean) {
  const place: AgentPlace = { port, prefix: `t${randomBytes(4).toString("hex")}:`, isStream };
  const { url } = await createTestDatabase();
  const own = { DATABASE_URL: url, ORCHESTRATOR_TEMPLATES: SHIPPED_TEMPLATES };
  const bed = await openWorkerBed({ ...own, ...serviceVariables(place) });
  return {
    ...bed,
    place,
    startAll: () => Promise.all((["data", "ai", "exec"] as const).map((kind) => startAgent(kind, place))),
    async startTemplate(templateId: string, input: object): Promise<string> {
      await bed.client.call(TemplateService.method.instantiateTemplate, { templateId });
      return bed.start(templateId, input);
    },
  };
}

describe.skipIf(port === 0 || process.platform !== "linux").each([
  ["pub/sub", false],
  ["Streams", true],
] as const)("over %s", (_, isStream) => {
  test("data-analysis-basic traverses, searches, combines, analyzes, and reports", async () => {
    const bed = await openBed(isStream);
    await bed.startAll();
    const id = await bed.startTemplate("data-analysis-basic", {
      query_limit: 50,
      analysis_prompt: "Identify key trends in the data",
    });
    await bed.reaches(id, RunState.COMPLETED);
    expect(await bed.outputOf(id)).toEqual({
      report: expect.stringMatching(/^# Data analysis\n\n[\s\S]*## Data\n[\s\S]*Analyzed by the model `recorded`\.\n$/),
      analysis: { summary: expect.any(String), findings: expect.any(Array), confidence: 0.8 },
      model: "recorded",
      data: {
        nodes: expect.any(Number),
        relationships: expect.objectContaining({ SHOWN_IN: expect.any(Number) }),
        labels: expect.objectContaining({ Work: expect.any(Number) }),
        central: expect.arrayContaining([{ name: expect.any(String), degree: expect.any(Number) }]),
        similar: expect.arrayContaining([{ name: "Night light with stars", score: expect.any(Number) }]),
      },
    });
  });

  test("ai-content-pipeline writes, reviews, optimizes, and packages what passes the gate", async () => {
    const bed = await openBed(isStream);
    await bed.startAll();
    const topic = "the lamps of an old harbor";
    const good = await bed.startTemplate("ai-content-pipeline", { topic });
    await bed.reaches(good, RunState.COMPLETED);
    expect(await bed.outputOf(good)).toEqual({
      title: `${topic}: what matters`,
      description: expect.stringContaining(topic),
      keywords: ["overview", "example", "details"],
      article: expect.stringMatching(/^# the lamps of an old harbor: what matters\n\nthe lamps.* second look/),
      words: expect.any(Number),
      scores: { review: 0.86, search: 0.82 },
      revised: false,
      model: "recorded",
    });
    // What does not pass is revised first.
    const poor = await bed.start("ai-content-pipeline", { topic, quality_threshold: 0.9 });
    await bed.reaches(poor, RunState.COMPLETED);
    expect(await bed.outputOf(poor)).toMatchObject({
      revised: true,
      article: expect.stringContaining("told once more"),
    });
  });

  test("a task goes on after its agent was killed in the middle, and nothing of it is left", async () => {
    const bed = await openBed(isStream);
    const more = { AGENT_NAME: "the-only-one", AGENT_EXEC_FIRST_UID: "64700" };
    const first = await startAgent("exec", bed.place, more);
    await bed.register(
      "long",
      `  tasks:
    - id: work
      type: exec
      parameters: {command: "sleep 2.${port}; echo done"}
      timeout: 5
      retry_policy: {max_retries: 3, initial_delay: 0.1s}
  output: "\${work.output.stdout}"
`,
    );
    const id = await bed.start("long");
    await eventually(() => expect(first.output()).toContain("task begins"));
    await first.stop("SIGKILL");
    const second = await startAgent("exec", bed.place, more);
    await bed.reaches(id, RunState.COMPLETED);
    expect(await bed.outputOf(id)).toBe("done\n");
    const ofFirst = (name: string): boolean =>
      /^orchestrator-exec-/.test(name) && name.includes(`-${first.child.pid}-`);
    expect(readdirSync(tmpdir()).filter(ofFirst)).toEqual([]);
    expect(await second.stop()).toBe(0);
  });

  test("a cancel of the run reaches the agent", async () => {
    const bed = await openBed(isStream);
    const agent = await startAgent("exec", bed.place);
    await bed.register("slow", `  tasks:\n    - {id: work, type: exec, parameters: {command: "sleep 62.${port}"}}\n`);
    const id = await bed.start("slow");
    await eventually(() => expect(agent.output()).toContain("task begins"));
    await bed.client.call(RunService.method.cancelRun, { runId: id, reason: "no longer wanted" });
    await bed.reaches(id, RunState.CANCELED);
    await eventually(() => expect(agent.output()).toContain('"error":"CANCELED"'));
  });
});

test.skipIf(port === 0)(
  "the fragments of the document run with the agents, to the side that a condition takes",
  async () => {
    const bed = await openBed(false);
    await bed.startAll();
    await bed.register(
      "fragments",
      `  tasks:
    - id: task1
      type: data
      parameters: {operation: traverse, query: {cypher: "MATCH (n) RETURN n LIMIT \${vars.limit}"}}
    - id: graph_query
      type: data
      parameters:
        operation: traverse
        query:
          cypher: "MATCH (n)-[r]-(m) RETURN n,r,m LIMIT 100"
        enrich: ["metadata"]
    - id: ai_analysis
      type: ai
      parameters:
        provider: anthropic
        prompt: "Analyze this data and identify patterns"
        model: claude-3-sonnet
        response_format: json
        max_tokens: 2000
    - id: data_processing
      type: exec
      parameters:
        image: "python:3.9-slim"
        command: ["python", "/workspace/input/process.py"]
        files:
          - name: process.py
            content: |
              import json
              # Processing logic here
              print(json.dumps([1]))
    - id: parallel_processing
      type: parallel
      parameters:
        tasks:
          - type: data
            parameters:
              operation: search
          - type: ai
            parameters:
              prompt: "Generate summary"
    - id: quality_check
      type: condition
      condition: "\${data_quality_score > 0.8}"
      on_success: ["publish_results"]
      on_failure: ["retry_processing"]
    - {id: publish_results, type: noop, parameters: {output: published}}
    - {id: retry_processing, type: noop, parameters: {output: retried}}
  output:
    first: "\${size(task1.output.rows)}"
    second: "\${size(graph_query.output.rows) > 0}"
    model: "\${ai_analysis.output.model}"
    printed: "\${data_processing.output.stdout}"
    taken: "\${publish_results.state + ' ' + retry_processing.state}"
`,
      "variables: [{name: data_quality_score, type: number, required: true}, {name: limit, type: integer, default: 3}]\n",
    );
    const takes = { 0.9: "COMPLETED SKIPPED", 0.5: "SKIPPED COMPLETED" };
    for (const [score, taken] of Object.entries(takes)) {
      const id = await bed.start("fragments", { data_quality_score: Number(score) });
      await bed.reaches(id, RunState.COMPLETED);
      expect(await bed.outputOf(id)).toEqual({ first: 3, second: true, model: "recorded", printed: "[1]\n", taken });
    }
  },
);
