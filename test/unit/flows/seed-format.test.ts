/**
 * The template format of the workflow service that was merged into this one, as its document gives it: accepted as it
 * is.
 */
import { Ajv } from "ajv";
import { describe, expect, it } from "vitest";
import { compileFlow, validateFlow } from "../../../src/flows/compile.ts";
import { flowJsonSchema } from "../../../src/flows/document/json-schema.ts";
import { parseFlowSource } from "../../../src/flows/document/parse.ts";
import { checkInput } from "../../../src/flows/input.ts";
import { scopeWith } from "./scope.ts";

const template = `id: my-workflow
name: My Custom Workflow
description: Description of what this workflow does
category: data-science
version: "1.0"
variables:
  - name: input_param
    type: string
    description: Parameter description
    required: true
    default: "default_value"

workflow:
  id: my-workflow-execution
  name: My Workflow Execution
  timeout: 3600
  variables:
    input_param: \${input_param}
  
  tasks:
    - id: task1
      name: First Task
      type: data
      parameters:
        operation: traverse
        query:
          cypher: "MATCH (n) RETURN n LIMIT \${input_param}"
      retry_policy:
        max_retries: 2
        backoff_type: exponential
        initial_delay: 1s
      timeout: 60
      
    - id: task2
      name: Second Task  
      type: ai
      depends_on: ["task1"]
      parameters:
        provider: anthropic
        prompt: "Analyze this data: \${task1.output}"
        response_format: json
      timeout: 120
`;

describe("the template format", () => {
  it("is read as it is", () => {
    expect(validateFlow({ text: template })).toEqual([]);
    const fits = new Ajv({ allErrors: true, strict: false, formats: { "date-time": true } }).compile(flowJsonSchema());
    fits(parseFlowSource(template).value);
    expect(fits.errors).toBe(null);
  });

  it("has tasks for agents, whose parameters are passed on", () => {
    const text = `id: agents
workflow:
  tasks:
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
`;
    expect(validateFlow({ text })).toEqual([]);
  });

  it("keeps its meaning: variables by name, outputs by task, seconds, retries", async () => {
    const text = template
      .replace("type: data\n      parameters:\n", "type: noop\n      parameters:\n       output:\n")
      .replace("type: ai", "type: noop")
      .replace("        provider: anthropic\n", "       output:\n        provider: anthropic\n");
    const { plan } = await compileFlow({ text });
    if (plan.kind !== "dag") throw new Error("not a DAG");
    const [first, second] = plan.nodes;
    const vars = checkInput(plan, {}, 0);
    expect([vars, plan.timeoutMs, plan.name, plan.version]).toEqual([
      { input_param: "default_value" },
      3_600_000,
      "My Custom Workflow",
      "1.0",
    ]);
    expect(first?.task.parameters.evaluate(scopeWith({ input_param: "5" }))).toMatchObject({
      output: { query: { cypher: "MATCH (n) RETURN n LIMIT 5" } },
    });
    expect([
      first?.task.retry.maxRetries,
      first?.task.retry.initialDelayMs,
      first?.task.timeouts.startToCloseMs,
      first?.task.name,
    ]).toEqual([2, 1_000, 60_000, "First Task"]);
    expect(second?.deps).toEqual([0]);
    expect(second?.task.parameters.evaluate(scopeWith(vars, { task1: { rows: [1, 2] } }))).toMatchObject({
      output: { prompt: 'Analyze this data: {"rows":[1,2]}' },
    });
  });

  it("has parallel tasks whose children have no ids, and conditions with targets", () => {
    const text = `id: more
variables: [{name: data_quality_score, type: number, required: true}]
workflow:
  tasks:
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
    - {id: publish_results, type: noop}
    - {id: retry_processing, type: noop}
`;
    expect(validateFlow({ text })).toEqual([]);
  });
});
