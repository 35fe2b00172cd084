/** Templates that are shown to a model that writes one. A test registers them. */

interface ShownTemplate {
  /** What its tasks reach, as a request allows it. */
  readonly words: readonly string[];
  readonly text: string;
}

/** Tasks of groups whose children reach nothing: the examples of the types call services. */
export const SHOWN_GROUPS = {
  parallel: `id: both
type: parallel
parameters:
  tasks:
    - {type: transform, parameters: {output: "\${vars.text}"}}
    - {type: wait, parameters: {duration: 5s}}
`,
  map: `id: each
type: map
parameters:
  items: "\${vars.names}"
  max_concurrency: 4
  task: {type: transform, parameters: {output: "\${index}: \${item}"}}
`,
} as const;

/** The smallest first. */
export const SHOWN_TEMPLATES: readonly ShownTemplate[] = [
  {
    words: [],
    text: `id: order-check
name: Order check
description: Asks a person about large orders.
version: "1"
variables:
  - {name: amount, type: number, required: true, description: Total of the order}
  - {name: threshold, type: number, default: 1000, description: Orders above it are checked by a person}
workflow:
  tasks:
    - id: is_large
      type: condition
      condition: "\${vars.amount > vars.threshold}"
      on_success: [ask]
      on_failure: [small]
    - id: ask
      type: approval
      parameters: {title: "Accept the order of \${vars.amount}?"}
      timeout: 24h
    - id: small
      type: transform
      parameters: {output: "no question"}
  output: {asked: "\${ask.state == 'COMPLETED'}"}
`,
  },
  {
    words: ["data", "ai"],
    text: `id: customer-report
name: Customer report
description: Reads what customers wrote and summarizes it.
version: "1"
variables:
  - {name: query_limit, type: integer, default: 50, description: Largest number of messages}
workflow:
  timeout: 30m
  tasks:
    - id: read
      name: Read the messages
      type: data
      parameters:
        operation: traverse
        query: {cypher: "MATCH (m:Message) RETURN m.text LIMIT \${vars.query_limit}"}
      retry_policy: {max_retries: 2, backoff_type: exponential, initial_delay: 1s}
      timeout: 60
    - id: summarize
      name: Summarize them
      type: ai
      depends_on: [read]
      parameters:
        prompt: |
          Summarize these messages of customers as {"summary": text, "topics": list of texts}:
          \${read.output}
        response_format: json
        max_tokens: 2000
      retry_policy: {max_retries: 2}
      timeout: 120
  output: "\${summarize.output.content}"
`,
  },
];
