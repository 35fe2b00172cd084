/** "Generate Workflow with AI" of the document of seed 001, executed: by a model, and by an agent over Redis. */
import { randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, inject, test } from "vitest";
import { serviceVariables } from "../support/agent-processes.ts";
import { eventually } from "../support/eventually.ts";
import { openForeignAgent, type SeenRequest } from "../support/foreign-agent.ts";
import { serveModels } from "../support/model-server.ts";
import { createTestDatabase } from "../support/postgres.ts";
import { createTemporaryFolder } from "../support/temporary-folder.ts";
import { openWorkerBed } from "../support/worker-service.ts";
import { type Answered, curl } from "./curl.ts";

const port = inject("redis");

/** The body of the document's command. */
const BODY = `{
    "prompt": "Create a data analysis pipeline that fetches graph data, performs vector search, and generates an AI-powered summary report",
    "domain": "data-science", 
    "complexity": "medium",
    "required_services": ["data", "ai", "exec"]
  }`;

/** What the model answers. Its id is the one of a template of the folder. */
const DRAFT = `id: data-analysis-basic
name: Data analysis
description: Fetches graph data, searches vectors, and summarizes both.
version: "1.0"
variables:
  - {name: query_limit, type: integer, default: 50}
workflow:
  tasks:
    - id: fetch
      type: data
      parameters: {operation: traverse, query: {cypher: "MATCH (n) RETURN n LIMIT \${query_limit}"}}
      timeout: 60
    - id: search
      type: data
      parameters: {operation: search, query: trends}
      timeout: 60
    - id: report
      type: ai
      depends_on: [fetch, search]
      parameters: {prompt: "Summarize \${fetch.output} and \${search.output}"}
      timeout: 120
  output: "\${report.output.content}"
`;

const OWN = `id: data-analysis-basic
version: "1"
workflow: {tasks: [{id: a, type: transform, parameters: {output: own}}]}
`;

type AgentAnswer = (message: object) => Promise<number>;

/** A service on a database and Redis of its own names, with agents that somebody else wrote. */
async function openBed(
  ask: (request: SeenRequest, answer: AgentAnswer) => void,
  more: Readonly<Record<string, string>> = {},
) {
  const prefix = `g${randomBytes(4).toString("hex")}:`;
  const { url: database } = await createTestDatabase();
  const templates = join(createTemporaryFolder(), "templates");
  mkdirSync(templates);
  writeFileSync(join(templates, "own.yaml"), OWN);
  const bed = await openWorkerBed({
    ...{ DATABASE_URL: database, ORCHESTRATOR_TEMPLATES: templates, ORCHESTRATOR_LEASE_TTL: "3s" },
    ...serviceVariables({ port, prefix, isStream: false }),
    ...more,
  });
  const channels = (kind: string) => ({
    requests: `${prefix}${kind}-requests`,
    responses: `${prefix}${kind}-responses`,
  });
  const done = (request: SeenRequest, output: unknown) => ({
    ...{ correlation_id: request.correlation_id, status: "completed", output },
  });
  const data = await openForeignAgent(port, channels("data"), (request, answer) => {
    void answer(done(request, { nodes: request.parameters["query"] }));
  });
  const ai = await openForeignAgent(port, channels("ai"), (request, answer) => {
    ask(request, (output) => answer(done(request, output)));
  });
  const url = `http://${bed.address}`;
  const post = (path: string, body: string): Promise<Answered> =>
    curl(url, path, "-X", "POST", "-H", "Content-Type: application/json", "-d", body);
  const ends = (id: string): Promise<Answered> =>
    eventually(
      async () => {
        const status = await curl(url, `/api/v1/workflows/${id}/status`);
        expect(status.body).toMatchObject({ status: "completed" });
        return status;
      },
      { timeoutMs: 30_000 },
    );
  return { ...bed, url, prefix, post, ends, data, ai };
}

const isQuestion = ({ parameters }: SeenRequest): boolean => String(parameters["prompt"]).includes("templates");

test.skipIf(port === 0)(
  "an agent writes the draft, across kill -9; approved, it starts over REST and over Redis",
  async () => {
    let isSilent = true;
    const bed = await openBed((request, answer) => {
      if (!isQuestion(request)) void answer({ content: "the summary" });
      else if (!isSilent) void answer({ content: `\`\`\`yaml\n${DRAFT}\`\`\`` });
    });
    const asked = bed.post("/api/v1/generate", BODY).catch(() => null);
    await eventually(() => expect(bed.ai.seen).toHaveLength(1), { timeoutMs: 30_000 });
    const [question] = bed.ai.seen;
    expect(question?.parameters["prompt"]).toContain("vector search");
    await bed.restart();
    await asked;
    // The agent goes on with the request that it has.
    isSilent = false;
    await bed.ai.answer({
      ...{ correlation_id: question?.correlation_id, status: "completed" },
      output: { content: `\`\`\`yaml\n${DRAFT}\`\`\`` },
    });
    const generationId = question?.execution_id ?? "";
    const draft = await eventually(
      async () => {
        const answer = await curl(bed.url, `/api/v1/generate/${generationId}`);
        expect(answer.body).toMatchObject({ status: "draft" });
        return answer;
      },
      { timeoutMs: 60_000 },
    );
    const { draft_hash, template_id, workflow, estimate } = draft.body;
    // The id of a template of the folder is not for drafts.
    expect(template_id).toMatch(/^data-analysis-basic-[0-9a-f]{8}$/);
    expect(workflow).toMatchObject({ id: template_id, workflow: { tasks: [{ id: "fetch" }, {}, {}] } });
    expect(estimate).toEqual({
      reaches: ["data", "ai"],
      ways: 1,
      is_cut: false,
      most_calls: 3,
      is_lower_bound: false,
      assumptions: [],
      max_cost_usd: 0,
      max_tokens: 0,
    });

    const start = (): Promise<Answered> =>
      bed.post("/api/v1/workflows", JSON.stringify({ workflow_template: template_id, variables: { query_limit: 7 } }));
    expect(await start()).toMatchObject({ status: 404, body: { error: { code: "TEMPLATE_NOT_FOUND" } } });
    const approve = (hash: string) =>
      bed.post(`/api/v1/generate/${generationId}/approve`, JSON.stringify({ draft_hash: hash }));
    expect(await approve("f".repeat(64))).toMatchObject({ status: 409 });
    expect(await approve(draft_hash)).toMatchObject({ status: 200, body: { status: "approved", template_id } });
    const started = await start();
    expect(started).toMatchObject({ status: 202, body: { workflow_template: template_id } });
    expect((await bed.ends(started.body.execution_id)).body.output).toBe("the summary");
    expect(bed.data.seen.map(({ parameters }) => parameters["query"])).toContainEqual({
      cypher: "MATCH (n) RETURN n LIMIT 7",
    });

    // Over Redis, as the templates of files.
    const heard: unknown[] = [];
    const listener = await openForeignAgent(
      port,
      {
        ...{ requests: `${bed.prefix}workflow-responses`, responses: `${bed.prefix}workflow-requests` },
      },
      (message) => void heard.push(message),
    );
    await listener.answer({ correlation_id: "c-1", workflow_template: template_id });
    await eventually(
      () =>
        expect(heard).toContainEqual(
          expect.objectContaining({ correlation_id: "c-1", status: "completed", output: "the summary" }),
        ),
      { timeoutMs: 30_000 },
    );
    // The one of the folder is what it was.
    const own = await bed.post("/api/v1/workflows", '{"workflow_template": "data-analysis-basic"}');
    expect((await bed.ends(own.body.execution_id)).body.output).toEqual({ a: "own" });
    const { body } = await curl(bed.url, "/api/v1/templates");
    expect(body.templates.map(({ id }: { id: string }) => id)).toEqual(["data-analysis-basic", template_id]);
  },
  180_000,
);

test.skipIf(port === 0)(
  "a configured model goes before the agent",
  async () => {
    const models = await serveModels();
    models.script((request) => request.say(DRAFT));
    const bed = await openBed(() => {}, {
      ORCHESTRATOR_MODELS_PROVIDERS: JSON.stringify({
        anthropic: { kind: "anthropic", base_url: models.url, models: { claude: {} } },
      }),
      ORCHESTRATOR_GENERATION_MODEL: "anthropic/claude",
    });
    const answer = await bed.post("/api/v1/generate", BODY);
    expect(answer).toMatchObject({ status: 200, body: { status: "draft", problems: [], tries: 1 } });
    expect(bed.ai.seen).toEqual([]);
  },
  120_000,
);

test.skipIf(port === 0)(
  "an answer that takes longer is 202 within 50 s, and is there later",
  async () => {
    let late: (() => void) | undefined;
    const bed = await openBed((_, answer) => {
      late = () => void answer({ content: DRAFT });
    });
    const begunAt = performance.now();
    const answer = await bed.post("/api/v1/generate", BODY);
    expect(performance.now() - begunAt).toBeLessThan(50_000);
    expect(answer).toMatchObject({ status: 202, body: { status: "generating", workflow: null, estimate: null } });
    late?.();
    await eventually(
      async () => {
        const later = await curl(bed.url, `/api/v1/generate/${answer.body.generation_id}`);
        expect(later).toMatchObject({ status: 200, body: { status: "draft" } });
      },
      { timeoutMs: 20_000 },
    );
  },
  180_000,
);
