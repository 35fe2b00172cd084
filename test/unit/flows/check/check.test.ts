import { describe, expect, it } from "vitest";
import { validateFlow } from "../../../../src/flows/compile.ts";

const lines = (text: string): string =>
  validateFlow({ text })
    .map(({ line, column, field, description }) => `${line}:${column} ${field}: ${description}`)
    .join("\n");

/** Problems of a DAG with these tasks, given as YAML of the list. */
function dag(tasks: string, rest = ""): string {
  return lines(`id: f\nvariables: [{name: n, type: integer, default: 1}]\nworkflow:\n${rest}  tasks:\n${tasks}`);
}

/** Problems of an FSM with these states. */
function fsm(states: string, rest = ""): string {
  return lines(`id: f\nvariables: [{name: n, type: integer, default: 1}]\nworkflow:\n${rest}  states:\n${states}`);
}

describe("the shape of a flow", () => {
  it.each([
    ["id: a\nworkflw: {}\n", /2:1 workflw: unknown key "workflw"; did you mean "workflow"\?/],
    ["id: a\n", /workflow: is missing/],
    ["id: a\nworkflow: {}\n", /workflow: expected one of tasks \(a DAG\), states \(an FSM\), or graph/],
    ["id: a\nworkflow: {tasks: []}\n", /at least 1 elements?/],
    [
      "id: a\nworkflow: {tasks: [{id: x, type: noop}], states: [{id: y, final: completed}]}\n",
      /either tasks or states, not both/,
    ],
    [
      "id: a\nworkflow: {tasks: [{id: x, type: noop}], initial: x}\n",
      /initial is only allowed with states; this flow has tasks/,
    ],
    ["id: a\nworkflow: {graph: g, fail_fast: true}\n", /fail_fast is only allowed with tasks; this flow has graph/],
    ["id: a\ntasks: [{id: x, type: noop}]\n", /tasks belongs inside workflow/],
    ["id: Invoice\nworkflow: {graph: g}\n", /1:1 id: expected an id/],
    ["id: constructor-x\nworkflow: {tasks: [{id: constructor, type: noop}]}\n", /"constructor" cannot be an id/],
    [
      "id: a\nversion: 1.10\nworkflow: {graph: g}\n",
      /2:1 version: expected text, got 1\.10 without quotes; write "1\.10" in quotes/,
    ],
    ["id: a\nversion: 2\nworkflow: {graph: g}\n", /write "2" in quotes/],
    ['id: a\nversion: "1\\u0001"\nworkflow: {graph: g}\n', /version: expected a version: a letter or a digit/],
    ['id: a\nversion: "1.0 beta/2"\nworkflow: {graph: g}\n', /version: expected a version: a letter or a digit/],
    ["id: a\nname: yes\nworkflow: {graph: 5}\n", /workflow\.graph: expected text/],
    ["- a\n- b\n", /expected an object, got a list/],
    ["just text\n", /expected an object/],
    [
      "id: a\nworkflow: {signals: {go: {schema: {type: int}}}, tasks: [{id: x, type: noop}]}\n",
      /workflow\.signals\.go\.schema\.type: expected a type/,
    ],
    ["id: a\nworkflow: {timeout: soon, graph: g}\n", /workflow\.timeout: expected a duration/],
    ["id: a\nworkflow: {timeout: 1h1h, graph: g}\n", /workflow\.timeout: "1h1h" names a unit twice; .* "2h"/],
    ["id: a\nworkflow: {timeout: -5, graph: g}\n", /workflow\.timeout: expected a duration/],
    ["id: a\nworkflow: {timeout: 4000d, graph: g}\n", /workflow\.timeout: expected a duration/],
    ["id: a\nworkflow: {timeout: 0, graph: g}\n", /workflow\.timeout: a timeout of 0 ends before .* at least 1ms/],
    ["id: a\nworkflow: {attempt_timeout: 0s, graph: g}\n", /workflow\.attempt_timeout: a timeout of 0 ends/],
    [
      "id: a\nvariables: [{name: x}, {name: x}]\nworkflow: {graph: g}\n",
      /variables\[1\]\.name: the variable "x" is declared twice/,
    ],
    ["id: a\nvariables: [{name: tasks}]\nworkflow: {graph: g}\n", /is a name of the expression language/],
    [
      "id: a\nvariables: [{name: x, type: strng}]\nworkflow: {graph: g}\n",
      /variables\[0\]\.type: .*did you mean "string"/,
    ],
    [
      "id: a\nvariables: [{name: x, type: integer, default: 1.5}]\nworkflow: {graph: g}\n",
      /default: expected a value of type integer, got the number 1.5/,
    ],
    [
      "id: a\nvariables: [{name: x, type: string, enum: [a, b], default: c}]\nworkflow: {graph: g}\n",
      /default is not one of the values/,
    ],
    [
      "id: a\nvariables: [{name: x, type: string, enum: [a, 2]}]\nworkflow: {graph: g}\n",
      /enum\[1\]: expected a value of type string/,
    ],
    ["id: a\nworkflow: {graph: g, variables: {y: '${z}'}}\n", /workflow\.variables\.y: \$\{z\}: unknown name "z"/],
    ["id: a\nworkflow: {graph: g, output: '${tasks.g.output}'}\n", /there is no task "g"/],
  ])("%j", (text, says) => {
    expect(lines(text)).toMatch(says);
  });

  it("says nothing about a flow that is right", () => {
    expect(lines("id: a\nworkflow: {graph: g}\n")).toBe("");
    expect(lines('{"id": "a", "workflow": {"tasks": [{"id": "x", "type": "noop"}]}}')).toBe("");
  });
});

describe("tasks", () => {
  it.each([
    ["    - {id: a, type: htp}\n", /there is no task type "htp"; did you mean "http"/],
    ["    - {id: a, type: agent}\n", /"agent" is reserved for a later version/],
    ["    - {id: a, type: graph}\n", /there is no task type "graph"/],
    ["    - {id: a}\n", /tasks\[0\]\.type: is missing/],
    ["    - {type: noop}\n", /tasks\[0\]\.id: is missing/],
    [
      "    - {id: a, type: noop}\n    - {id: a, type: noop}\n",
      /6:8 workflow\.tasks\[1\]\.id: the id "a" is used twice/,
    ],
    ["    - {id: a, type: noop, tmeout: 5}\n", /unknown key "tmeout"; did you mean "timeout"/],
    ["    - {id: a, type: noop, depends_on: b}\n", /depends_on: expected a list.*write a list: \[task_id\]/],
    [
      "    - {id: fetch, type: noop}\n    - {id: b, type: noop, depends_on: [fecth]}\n",
      /depends_on\[0\]: there is no task "fecth"; did you mean "fetch"/,
    ],
    ["    - {id: a, type: noop, depends_on: [a]}\n", /a task cannot name itself/],
    ["    - {id: a, type: noop}\n    - {id: b, type: noop, depends_on: [a, a]}\n", /"a" is listed twice/],
    ["    - {id: a, type: noop, trigger_rule: always}\n", /trigger_rule: expected one of all_success/],
    [
      "    - {id: a, type: noop, on_success: [b]}\n    - {id: b, type: noop}\n",
      /on_success is only allowed on the type condition/,
    ],
    ["    - {id: a, type: noop, condition: '${true}'}\n", /condition is only allowed on the type condition/],
    ["    - {id: a, type: condition}\n", /a condition needs condition/],
    ["    - {id: a, type: condition, condition: n > 1}\n", /write "\$\{n > 1\}"/],
    ["    - {id: a, type: condition, condition: 'x ${n > 1}'}\n", /expected exactly one/],
    ["    - {id: a, type: condition, condition: 5}\n", /expected an expression that evaluates to true or false/],
    ["    - {id: a, type: noop, on_reject: continue}\n", /on_reject is only allowed on the type approval/],
    [
      "    - {id: a, type: noop, retry_policy: {max_retry: 3}}\n",
      /unknown key "max_retry"; did you mean "max_retries"/,
    ],
    [
      "    - {id: a, type: noop, retry_policy: {backoff_type: expo}}\n",
      /expected one of fixed, linear, exponential, full_jitter/,
    ],
    ["    - {id: a, type: noop, parameters: [1]}\n", /parameters: expected an object/],
    [
      "    - {id: a, type: http, parameters: {method: FETCH, url: 'http://x'}}\n",
      /parameters\.method: expected one of GET/,
    ],
    ["    - {id: a, type: http, parameters: {method: GET}}\n", /set either url, or service and path/],
    ["    - {id: a, type: http, parameters: {url: 'http://x', service: y}}\n", /set either url, or service and path/],
    ["    - {id: a, type: http, parameters: {url: 'http://x', body: {}, text: t}}\n", /set either body or text/],
    ["    - {id: a, type: http, parameters: {url: 'http://x', expect_status: 99}}\n", /expect_status/],
    ["    - {id: a, type: transform}\n", /parameters\.output: is missing|output/],
    [
      "    - {id: a, type: noop, retry_policy: {backoff_type: fixed, multiplier: 3}}\n",
      /retry_policy\.multiplier: multiplier has no effect with the backoff_type fixed; remove it/,
    ],
    ["    - {id: a, type: wait, parameters: {duration: 1 h}}\n", /expected a duration/],
    ["    - {id: a, type: wait}\n", /give either duration or until/],
    ["    - {id: a, type: subflow, parameters: {flow_id: X}}\n", /flow_id/],
    ["    - {id: a, type: map, parameters: {items: [1]}}\n", /parameters\.task: is missing/],
    ["    - {id: a, type: map, parameters: {items: 5, task: {type: noop}}}\n", /parameters\.items: expected a list/],
    [
      "    - {id: a, type: parallel, parameters: {tasks: [{id: x, type: noop}]}}\n",
      /tasks\[0\]\.id: a child has no id/,
    ],
    [
      "    - {id: a, type: parallel, parameters: {tasks: [{type: noop, depends_on: [b]}]}}\n",
      /a child has no depends_on/,
    ],
    [
      "    - {id: a, type: parallel, parameters: {tasks: [{type: condition, condition: '${true}'}]}}\n",
      /a condition cannot be a child/,
    ],
    ["    - {id: a, type: parallel, parameters: {tasks: [{type: signal}]}}\n", /needs parameters\.name/],
    ["    - {id: a, type: noop, timeout: '${nope * 2}'}\n", /\.timeout: .*unknown name "nope"/],
    [
      "    - {id: a, type: noop, retry_policy: {max_delay: '${nope}s'}}\n",
      /retry_policy\.max_delay: .*unknown name "nope"/,
    ],
    [
      "    - {id: b, type: noop}\n    - {id: a, type: noop, timeout: '${b.output}'}\n",
      /timeout: "a" reads "b" but does not depend on it/,
    ],
    [
      "    - {id: a, type: signal, parameters: {name: 'pay ment'}}\n",
      /parameters\.name: expected the name of a signal/,
    ],
    [
      "    - {id: a, type: approval, parameters: {form: {requird: [x]}}}\n",
      /parameters\.form\.requird: .*did you mean "required"/,
    ],
    [
      "    - {id: a, type: parallel, parameters: {tasks: [{type: noop, tmeout: 1}]}}\n",
      /parameters\.tasks\[0\]\.tmeout: unknown key/,
    ],
    [
      "    - {id: a, type: parallel, parameters: {tasks: [{type: map, parameters: {items: [], task: {type: nop}}}]}}\n",
      /tasks\[0\]\.parameters\.task\.type: there is no task type "nop"; did you mean "noop"/,
    ],
    [
      "    - {id: a, type: parallel, parameters: {tasks: [{type: noop}], max_concurrency: 0}}\n",
      /max_concurrency: expected at least 1/,
    ],
  ])("%j", (tasks, says) => {
    expect(dag(tasks)).toMatch(says);
  });

  it("leaves values that an expression will give to the check after evaluation", () => {
    expect(
      dag(
        "    - {id: a, type: http, parameters: {url: '${vars.n}', method: '${vars.n}', expect_status: '${vars.n}', headers: '${vars.n}'}}\n",
      ),
    ).toBe("");
    expect(dag("    - {id: a, type: wait, parameters: {duration: '${vars.n}'}}\n")).toBe("");
    expect(
      dag(
        "    - {id: a, type: map, parameters: {items: '${vars.n}', task: {type: noop, parameters: {output: '${item}'}}}}\n",
      ),
    ).toBe("");
  });

  it("counts children into the limit", () => {
    const group = `    - {id: g, type: parallel, parameters: {tasks: [${"{type: noop},".repeat(999)}{type: noop}]}}\n`;
    expect(dag(group + group.replace("g,", "h,"))).toMatch(/2002 tasks, children included; the limit is 2000/);
    expect(dag(group)).toBe("");
  });
});

// Cause: keys that bound work were accepted on every type, and did nothing on those that have no attempts or no time.
describe("limits", () => {
  it.each([
    ["transform", "parameters: {output: 1}", "retry_policy: {max_retries: 2}"],
    ["transform", "parameters: {output: 1}", "heartbeat_timeout: 5"],
    ["wait", "parameters: {duration: 5}", "timeout: 5"],
    ["wait", "parameters: {duration: 5}", "schedule_to_close_timeout: 5"],
    ["condition", 'condition: "${true}"', "timeout: 5"],
    ["signal", "parameters: {name: go}", "retry_policy: {max_retries: 2}"],
    ["approval", "parameters: {}", "heartbeat_timeout: 5"],
    ["map", "parameters: {items: [], task: {type: noop}}", "retry_policy: {max_retries: 2}"],
    ["subflow", "parameters: {flow_id: f}", "heartbeat_timeout: 5"],
  ])("a %s (%s) refuses %s", (type, parameters, limit) => {
    const key = limit.split(":")[0];
    expect(dag(`    - {id: x, type: ${type}, ${parameters}, ${limit}}\n`)).toMatch(
      `workflow.tasks[0].${key}: ${key} has no effect on a task of type ${type}; remove it`,
    );
  });

  it("are accepted where they act", () => {
    expect(
      dag(
        "    - {id: x, type: http, parameters: {url: 'http://x/'}, retry_policy: {}, timeout: 5, heartbeat_timeout: 1}\n",
      ),
    ).toBe("");
    expect(dag("    - {id: x, type: subflow, parameters: {flow_id: f}, retry_policy: {}, timeout: 5}\n")).toBe("");
    expect(dag("    - {id: x, type: signal, timeout: 5, schedule_to_close_timeout: 9}\n")).toBe("");
  });
});

describe("the graph", () => {
  it.each([
    [
      "    - {id: a, type: noop, depends_on: [c]}\n    - {id: b, type: noop, depends_on: [a]}\n    - {id: c, type: noop, depends_on: [b]}\n",
      /these tasks wait for each other: (a → b → c → a|b → c → a → b|c → a → b → c)/,
    ],
    [
      "    - {id: c, type: condition, condition: '${true}', depends_on: [t], on_success: [t]}\n    - {id: t, type: noop}\n",
      /these tasks wait for each other/,
    ],
    [
      "    - {id: a, type: noop, compensate_with: undo}\n    - {id: undo, type: noop, depends_on: [a]}\n",
      /"undo" is a compensation task; it has no depends_on/,
    ],
    [
      "    - {id: a, type: noop, compensate_with: undo}\n    - {id: undo, type: noop}\n    - {id: b, type: noop, depends_on: [undo]}\n",
      /"undo" is a compensation task .* not part of the graph/,
    ],
    ["    - {id: a, type: noop, compensate_with: b}\n", /compensate_with: there is no task "b"/],
    ["    - {id: a, type: noop, compensate_with: a}\n", /cannot compensate itself/],
    [
      "    - {id: a, type: noop, compensate_with: undo}\n    - {id: undo, type: condition, condition: '${true}'}\n",
      /a condition cannot be a compensation task/,
    ],
  ])("%j", (tasks, says) => {
    expect(dag(tasks)).toMatch(says);
  });

  it("lets a task be undone by one that several share", () => {
    expect(
      dag(
        "    - {id: a, type: noop, compensate_with: undo}\n    - {id: b, type: noop, compensate_with: undo}\n    - {id: undo, type: noop}\n",
      ),
    ).toBe("");
  });
});

describe("what expressions may read", () => {
  const noop = (id: string, extra = ""): string => `    - {id: ${id}, type: noop${extra}}\n`;

  it.each([
    [
      `${noop("a")}${noop("b", ", parameters: {output: '${a.output}'}")}`,
      /"b" reads "a" but does not depend on it; add it to depends_on/,
    ],
    [
      `${noop("a")}${noop("b", ", depends_on: [a], trigger_rule: one_success, parameters: {output: '${a.output}'}")}`,
      /one_success can read only deps\.first/,
    ],
    [
      `${noop("a", ", parameters: {output: '${deps.first}'}")}`,
      /deps\.first exists only in tasks with trigger_rule: one_success/,
    ],
    [`${noop("a", ", parameters: {output: '${tasks.a.output}'}")}`, /a task cannot read itself/],
    [`${noop("a", ", parameters: {output: '${item}'}")}`, /item exists only inside a map/],
    [`${noop("a", ", parameters: {output: '${signal.payload}'}")}`, /signal exists only in the when of an on entry/],
    [`${noop("a", ", parameters: {output: '${compensates.task}'}")}`, /compensates exists only in compensation tasks/],
    [
      `${noop("a", ", compensate_with: u")}${noop("u")}${noop("b", ", depends_on: [a], parameters: {output: '${u.output}'}")}`,
      /its output cannot be read/,
    ],
    [
      "    - {id: a, type: parallel, parameters: {tasks: [{type: noop, parameters: {output: '${item}'}}]}}\n",
      /item exists only inside a map/,
    ],
    [
      `${noop("fetch-all")}${noop("b", ", depends_on: [fetch-all], parameters: {output: '${fetch-all.output}'}")}`,
      /written tasks\["fetch-all"\]/,
    ],
    [noop("a", ", parameters: {output: '${runn.run_id}'}"), /unknown name "runn"/],
  ])("%j", (tasks, says) => {
    expect(dag(tasks)).toMatch(says);
  });

  it.each([
    `${noop("a")}${noop("b", ", depends_on: [a]")}${noop("c", ", depends_on: [b], parameters: {output: '${a.output} ${tasks.b.state}'}")}`,
    `${noop("a")}${noop("b", ", depends_on: [a], trigger_rule: one_success, parameters: {output: '${deps.first.output} ${n}'}")}`,
    `    - {id: c, type: condition, condition: '\${n > 1}', on_success: [t]}\n${noop("t", ", parameters: {output: '${c.output.result}'}")}`,
    `${noop("a", ", compensate_with: u")}${noop("u", ", parameters: {output: '${compensates.outcome} ${a.output}'}")}`,
    "    - {id: m, type: map, parameters: {items: [1], task: {type: parallel, parameters: {tasks: [{type: noop, parameters: {output: '${item} ${index}'}}]}}}}\n",
    `${noop("fetch-all")}${noop("b", ", depends_on: [fetch-all], parameters: {output: '${tasks[\"fetch-all\"].output}'}")}`,
  ])("allows %j", (tasks) => {
    expect(dag(tasks)).toBe("");
  });

  it("checks the output mapping", () => {
    expect(dag(noop("a", ", compensate_with: u") + noop("u"), "  output: {x: '${u.output}', y: '${nope}'}\n")).toMatch(
      /output\.x: "u" is a compensation task[\s\S]*output\.y: .*unknown name "nope"/,
    );
  });
});

describe("states", () => {
  it.each([
    ["    - {id: a, transitions: [{to: b}]}\n", /transitions\[0\]\.to: there is no state "b"/],
    [
      "    - {id: a, transitions: [{to: end}]}\n    - {id: end, final: completed}\n    - {id: lost, final: failed}\n",
      /the state "lost" cannot be reached from "a"/,
    ],
    ["    - {id: a}\n", /the state "a" has no way out/],
    ["    - {id: a, final: completed, transitions: [{to: a}]}\n", /a final state ends the run; it has no transitions/],
    ["    - {id: a, final: done}\n", /final: expected one of completed, failed/],
    ["    - {id: a, on_error: [{to: a}], on: [{signal: s, to: a}]}\n", /on_error needs a task that can fail/],
    [
      "    - {id: a, transitions: [{to: b}, {when: '${true}', to: b}]}\n    - {id: b, final: completed}\n",
      /the ones after it can never be taken/,
    ],
    ["    - {id: a, transitions: [{when: yes, to: a}]}\n", /expected an expression/],
    ["    - {id: a, on: [{to: a}]}\n", /on\[0\]\.signal: is missing/],
    ["    - {id: a, on: [{signal: 'pay ment', to: a}]}\n", /on\[0\]\.signal: expected the name of a signal.*no caller/],
    ["    - {id: a, on: [{signal: ü, to: a}]}\n", /on\[0\]\.signal: expected the name of a signal/],
    ["    - {id: a, after: [{delay: 5s1m, to: a}]}\n", /delay: "5s1m" has its units out of order; .* "1m5s"/],
    ["    - {id: a, after: [{delay: soon, to: a}]}\n", /delay: expected a duration/],
    ["    - {id: a, after: [{delay: '${signal.payload}', to: a}]}\n", /signal exists only in the when of an on entry/],
    ["    - {id: a, transitions: [{when: '${signal.payload}', to: a}]}\n", /signal exists only/],
    ["    - {id: a, task: {type: noop, depends_on: [x]}, transitions: [{to: a}]}\n", /unknown key "depends_on"/],
    [
      "    - {id: a, task: {type: noop}, compensate_with: u, transitions: [{to: a}]}\n",
      /there is no compensation task "u"; they are listed in workflow\.compensations/,
    ],
  ])("%j", (states, says) => {
    expect(fsm(states)).toMatch(says);
  });

  it("checks initial and compensations", () => {
    expect(fsm("    - {id: a, final: completed}\n", "  initial: b\n")).toMatch(
      /workflow\.initial: there is no state "b"/,
    );
    expect(fsm("    - {id: a, final: completed}\n", "  compensations: [{id: u, type: noop}]\n")).toMatch(
      /no state names "u" in compensate_with/,
    );
    expect(
      fsm(
        "    - {id: u, task: {type: noop}, compensate_with: u, final: completed}\n",
        "  compensations: [{id: u, type: noop}]\n",
      ),
    ).toMatch(/the id "u" is used twice/);
  });

  it("allows loops, expressions over any state, delays by expression", () => {
    expect(
      fsm(
        "    - {id: a, task: {type: noop, parameters: {output: '${b.output}'}}, compensate_with: u, transitions: [{when: '${a.output == 1}', to: b}, {to: c}], on_error: [{match: [X, Y], to: c}, {to: b}]}\n" +
          "    - {id: b, on: [{signal: s, when: '${signal.payload.x > n}', to: a}], after: [{delay: '${n}', to: a}, {delay: 1h, to: c}]}\n    - {id: c, final: failed}\n",
        "  compensations: [{id: u, type: noop, parameters: {output: '${compensates.input}'}}]\n  output: '${a.output}'\n",
      ),
    ).toBe("");
  });
});
