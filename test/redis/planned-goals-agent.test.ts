/** Goals whose plans are written by an agent over Redis, which answers as it likes. */
import { expect, inject, test } from "vitest";
import { type Goal, GoalStatus } from "../../src/gen/orchestrator/v1/goal_pb.ts";
import { GoalService } from "../../src/gen/orchestrator/v1/goal_service_pb.ts";
import { openAgentTaskBed } from "../support/agent-tasks.ts";
import { eventually } from "../support/eventually.ts";
import { openForeignAgent } from "../support/foreign-agent.ts";

const port = inject("redis");

const PLAN = 'id: p\nworkflow: {tasks: [{id: a, type: transform, parameters: {output: 42}}], output: "${a.output}"}\n';
const OTHER = PLAN.replace("42", "43");
const CALLING = 'id: p\nworkflow: {tasks: [{id: a, type: http, parameters: {url: "https://shop.example"}}]}\n';

test.skipIf(port === 0)(
  "an agent plans goals: its first answer counts, and what it may not do is given back to it",
  { timeout: 120_000 },
  async () => {
    const { bed, of } = await openAgentTaskBed(port, {
      ORCHESTRATOR_GENERATION_MODEL: "mine/large",
      ORCHESTRATOR_GOALS_PLANS: "run",
    });
    const asked: string[] = [];
    await openForeignAgent(port, of("ai"), ({ correlation_id, parameters }, answer) => {
      const { provider, model, prompt } = parameters as Record<string, string>;
      expect([provider, model]).toEqual(["mine", "large"]);
      asked.push(prompt ?? "");
      const say = (output: unknown) => void answer({ correlation_id, status: "completed", output });
      if (prompt?.includes("What is wrong with it")) say(PLAN);
      else if (prompt?.includes("Call the shop")) say({ content: CALLING });
      else if (prompt?.includes("Say nothing")) say(null);
      else say(PLAN);
      // Another answer to the same question changes nothing.
      say(OTHER);
    });
    const submit = async (goal: string): Promise<string> => {
      const { goal: made } = await bed.client.call(GoalService.method.submitGoal, { goal });
      return made?.goalId ?? "";
    };
    const ended = (goalId: string): Promise<Goal> =>
      eventually(
        async () => {
          const { goal } = await bed.client.call(GoalService.method.getGoal, { goalId });
          expect([goal?.status, goal?.error?.message ?? ""]).toEqual([GoalStatus.COMPLETED, ""]);
          return goal ?? expect.unreachable("no goal");
        },
        { timeoutMs: 60_000 },
      );
    const goals = await Promise.all(["Answer", "Call the shop", "Say nothing"].map(submit));
    for (const goalId of goals) {
      const { plan } = await ended(goalId);
      expect(plan?.text).toBe(PLAN);
      expect(await bed.outputOf(goalId)).toBe(42);
    }
    expect(asked).toHaveLength(5);
    const repair = asked.find((prompt) => prompt.includes("https://shop.example") && prompt.includes("What is wrong"));
    expect(repair).toContain("https://shop.example is not allowed; nothing outside is allowed");
  },
);
