import { expect, test } from "vitest";
import type { Transition } from "../../../../src/engine/ports/journal.ts";
import { number, text } from "../../../../src/store/journal/columns.ts";
import { createSortingStatements } from "../../../../src/store/journal/commit-statement.ts";
import { encodeSorting } from "../../../../src/store/journal/encode-batch.ts";
import { defineTable, type ProjectionSql } from "../../../../src/store/journal/projection-table.ts";
import { defineRows, numberParameters } from "../../../../src/store/journal/row-set.ts";
import { TABLES } from "../../../support/projections.ts";
import { transitionOf } from "../../../support/transitions.ts";

interface Row {
  readonly n: number;
  readonly word: string;
}

const ROWS = defineRows<Row>("things", "x", { n: number("int4", ({ n }) => n), word: text(({ word }) => word) });

test("parameters are numbered in the order in which values are sent, wherever the text names them", () => {
  const text = "SELECT $things.word, $batch.size, $things.n, $things.word";
  expect(numberParameters("s", text, ["size"], [ROWS])).toBe("SELECT $3, $1, $2, $3");
});

test("a text that uses a column nobody declared, or leaves one out, is refused when the statement is made", () => {
  expect(() => numberParameters("s", "SELECT $things.m", [], [ROWS])).toThrow("statement s: things.m is not declared");
  expect(() => numberParameters("s", "SELECT $things.n", [], [ROWS])).toThrow("statement s: things.word is not used");
  expect(() => numberParameters("s", ROWS.rows, [], [ROWS, ROWS])).toThrow("share a name");
});

test("columns, types and values of a projection come from one declaration", () => {
  const table = defineTable<Row>("things", {
    columns: { n: number("int4", ({ n }) => n), word: text(({ word }) => word) },
    write: ({ insert }) => insert,
  });
  const { all } = createSortingStatements([table]);
  expect(all.text).toContain("INSERT INTO orchestrator.things (run_id, n, word)");
  const placeholders = /unnest\(string_to_array\(\$(\d+), E'\\x01'\), \$(\d+)::int4\[\], string_to_array\(\$(\d+)/.exec(
    all.text.slice(all.text.indexOf("things_rows")),
  );
  const rows = [
    {
      projection: "things",
      rows: [
        { n: 1, word: "a" },
        { n: 2, word: "" },
      ],
    },
  ];
  const { values } = encodeSorting(createSortingStatements([table]), [], [transitionOf("r", 2, { rows })]);
  expect(placeholders?.slice(1).map((parameter) => values[Number(parameter) - 1])).toEqual(["r\u0001r", "{1,2}", "a"]);
});

test("the table of another kind of entity has its own id, and its rows do not go with a run", () => {
  const declaration = {
    columns: { n: number<Row>("int4", ({ n }) => n) },
    write: ({ insert }: ProjectionSql) => insert,
  };
  const jobs = defineTable<Row>("jobs", { ...declaration, idColumn: "job_id", ofRun: null });
  expect(jobs.write).toContain("INSERT INTO orchestrator.jobs (job_id, n)");
  expect(jobs.write).toContain("WHERE r.job_id IN (SELECT run_id FROM accepted)");
  expect(jobs.erase).toBeNull();
  expect(defineTable<Row>("jobs", declaration).erase).toContain("DELETE FROM orchestrator.jobs t USING gone g");
});

test("a batch names the projections it has rows of: none, one, or all; each variant takes as many values as it has parameters", () => {
  const statements = createSortingStatements(TABLES);
  const rowsOf = (...names: string[]): Partial<Transition> => ({
    // Empty rows are enough: the choice depends on the projections alone.
    rows: names.map((projection) => ({ projection, rows: [] })),
  });
  const encode = (...transitions: Partial<Transition>[]) =>
    encodeSorting(
      statements,
      [],
      transitions.map((more, index) => transitionOf(`r${index}`, 2, more)),
    );
  const cases = [
    [encode({}), "journal.commit_sorting"],
    [encode({}, rowsOf("dead_letters"), rowsOf("dead_letters")), "journal.commit_sorting_dead_letters"],
    [encode(rowsOf("outbox"), rowsOf("approvals")), "journal.commit_sorting_all"],
    [encode(rowsOf("outbox", "approvals", "dead_letters")), "journal.commit_sorting_all"],
  ] as const;
  for (const [{ statement, values }, name] of cases) {
    expect(statement.name).toBe(name);
    const parameters = [...statement.text.matchAll(/\$(\d+)/g)].map(([, digits]) => Number(digits));
    expect(Math.max(...parameters)).toBe(values.length);
    expect(new Set(parameters).size).toBe(values.length);
  }
});

test("rows of a projection that the store does not know fail the batch", () => {
  const rows = [{ projection: "things", rows: [{ n: 1 }] }];
  expect(() => encodeSorting(createSortingStatements(TABLES), [], [transitionOf("r", 2, { rows })])).toThrow(
    "the store has no table for the projection things",
  );
});
