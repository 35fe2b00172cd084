/** The interpreter against expectations written by hand, for every sentence of docs/semantics.md. */
import { createPlayers, playOnInterpreter } from "./play.ts";
import { describeCompensation } from "./sentences-compensation.ts";
import { describeEndings } from "./sentences-endings.ts";
import { describeFsm } from "./sentences-fsm.ts";
import { describeRules } from "./sentences-rules.ts";
import { describeTasks } from "./sentences-tasks.ts";
import { describeWorkers } from "./sentences-workers.ts";

const players = createPlayers(playOnInterpreter);
describeRules(players);
describeTasks(players);
describeWorkers(players);
describeFsm(players);
describeEndings(players);
describeCompensation(players);
