/** All alerts, in the order of the file. */
import type { AlertGroup } from "../rule.ts";
import { BURN_ALERTS } from "../slo.ts";
import { AVAILABILITY } from "./availability.ts";
import { CANARIES } from "./canaries.ts";
import { MESSAGES } from "./messages.ts";
import { MONITORING } from "./monitoring.ts";
import { PROCESS } from "./process.ts";
import { RUNS } from "./runs.ts";
import { SEEDS } from "./seeds.ts";
import { STORE } from "./store.ts";
import { UPGRADES } from "./upgrades.ts";

export const ALERT_GROUPS: readonly AlertGroup[] = [
  ...[AVAILABILITY, BURN_ALERTS, RUNS, CANARIES, STORE, MESSAGES, PROCESS, UPGRADES, MONITORING, SEEDS],
];
