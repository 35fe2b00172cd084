/** Templates in the format of the document. Tasks whose work is not what is tested are of type `noop`. */
export const TEMPLATES: Readonly<Record<string, string>> = {
  "data-analysis-basic.yaml": `id: data-analysis-basic
name: Data Analysis Pipeline
description: Reads a graph and analyzes what it finds
category: data-science
version: "1.0"
variables:
  - name: query_limit
    type: integer
    description: How many nodes are read
    default: 10
  - name: analysis_prompt
    type: string
    default: Summarize
workflow:
  id: data-analysis-execution
  name: Data Analysis Execution
  timeout: 3600
  variables:
    limit: \${query_limit}
  tasks:
    - id: graph_query
      name: Graph Query
      type: noop
      parameters:
        output:
          cypher: "MATCH (n) RETURN n LIMIT \${limit}"
      retry_policy:
        max_retries: 2
        backoff_type: exponential
        initial_delay: 1s
      timeout: 60
    - id: analysis
      type: noop
      depends_on: ["graph_query"]
      parameters:
        output: "\${analysis_prompt}: \${graph_query.output.cypher}"
      timeout: 120
`,
  "waits.yaml": `id: waits
name: Waits
category: operations
version: "1.0"
variables:
  - {name: who, type: string, required: true, description: Who is waited for}
workflow:
  tasks:
    - {id: before, type: noop}
    - {id: gate, type: signal, depends_on: [before], parameters: {name: go}}
`,
  "fails.yaml": `id: fails
version: "1.0"
workflow:
  tasks:
    - {id: ok, type: noop}
    - {id: doomed, type: transform, depends_on: [ok], parameters: {output: "\${ok.output.no.such}"}}
`,
};
