/**
 * The engine against expectations written by hand, for every sentence of docs/semantics.md: the same that the
 * interpreter must meet.
 */
import type { FlowDoc } from "../oracle/document.ts";
import { createPlayers, frameFlow } from "../oracle/play.ts";
import { describeCompensation } from "../oracle/sentences-compensation.ts";
import { describeEndings } from "../oracle/sentences-endings.ts";
import { describeFsm } from "../oracle/sentences-fsm.ts";
import { describeRules } from "../oracle/sentences-rules.ts";
import { describeTasks } from "../oracle/sentences-tasks.ts";
import { describeWorkers } from "../oracle/sentences-workers.ts";
import type { Outcome, World } from "../oracle/world.ts";
import { runOnEngine } from "./engine-adapter.ts";

async function playOnEngine(workflow: FlowDoc["workflow"], world: World): Promise<Outcome> {
  return (await runOnEngine(frameFlow(workflow, world), world)).outcome;
}

const players = createPlayers(playOnEngine);
describeRules(players);
describeTasks(players);
describeWorkers(players);
describeFsm(players);
describeEndings(players);
describeCompensation(players);
