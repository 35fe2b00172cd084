import { expect, test } from "vitest";
import { createAnswerCache } from "../../../src/store/models/answer-cache.ts";
import { eventually } from "../../support/eventually.ts";
import { createTestDatabase } from "../../support/postgres.ts";

const { database } = await createTestDatabase();
const cache = createAnswerCache(database);
const countAnswers = async (): Promise<unknown> =>
  (await database.reads.query("SELECT count(*)::int AS count FROM orchestrator.model_answers")).rows[0];

test("an answer is found by its tenant, until it is too old", async () => {
  const answer = { content: { n: [1, "two", null] }, finishReason: "stop" };
  await cache.keep("one", "k", answer, 60_000);
  expect(await cache.find("one", "k")).toEqual(answer);
  expect(await cache.find("two", "k")).toBeNull();
  expect(await cache.find("one", "other")).toBeNull();
  await cache.keep("one", "k", { ...answer, content: "new" }, 60_000);
  expect(await cache.find("one", "k")).toMatchObject({ content: "new" });
  await cache.keep("one", "k", answer, 1);
  await eventually(async () => expect(await cache.find("one", "k")).toBeNull());
});

test("answers that are too old are removed when others are kept", async () => {
  const old = { content: "old", finishReason: null };
  await cache.keep("one", "old", old, -120_000);
  await cache.keep("two", "older", old, -180_000);
  const before = await countAnswers();
  await cache.keep("one", "fresh", old, 60_000);
  expect([before, await countAnswers()]).toEqual([{ count: 2 }, { count: 2 }]);
  expect(await cache.find("one", "fresh")).toEqual(old);
});
