/** Upgrades that nobody brings to an end. */
import { type AlertGroup, HOUR, JOB } from "../rule.ts";

const ONE = '{job="orchestrator",instance="a"}';

const build = (instance: string, version: string): string =>
  `orchestrator_build_info{job="orchestrator",instance="${instance}",version="${version}"}`;

export const UPGRADES: AlertGroup = {
  name: "orchestrator-upgrades",
  alerts: (time) => [
    {
      ...{ name: "UpgradeNotFinalized", severity: "ticket", for: time(6 * HOUR) },
      expr: `max(orchestrator_unfinalized_versions{${JOB}}) > 0`,
      summary: "An upgrade is not finalized.",
      description:
        "For six hours, the database has been kept so that the release before can be started again. `orchestrator upgrade finalize` ends that.",
      impact: "What is new in the release is refused with UPGRADE_NOT_FINALIZED, or waits.",
      dashboard: "orchestrator-runtime",
      fires: { series: { [`orchestrator_unfinalized_versions${ONE}`]: "1x120" }, after: "7h" },
      silent: [
        { series: { [`orchestrator_unfinalized_versions${ONE}`]: "0x120" }, after: "7h" },
        { series: { [`orchestrator_unfinalized_versions${ONE}`]: "1x80 0x40" }, after: "7h" },
      ],
    },
    {
      ...{ name: "ReleasesDiffer", severity: "ticket", for: time(2 * HOUR) },
      expr: `count(count by (version) (orchestrator_build_info{${JOB}})) > 1`,
      summary: "Instances of two releases live side by side.",
      description: "A deployment has left instances of an older release for two hours.",
      impact: "None at once. What is new in the release waits, and the next deployment finds three releases.",
      dashboard: "orchestrator-runtime",
      fires: { series: { [build("a", "1.1.0")]: "1x60", [build("b", "1.0.0")]: "1x60" }, after: "4h" },
      silent: [
        { series: { [build("a", "1.1.0")]: "1x60", [build("b", "1.1.0")]: "1x60" }, after: "4h" },
        { series: { [build("a", "1.1.0")]: "1x60", [build("b", "1.0.0")]: "1x15 _x45" }, after: "4h" },
      ],
    },
  ],
};
