/** Faults that call somebody: what happens, how it is made to happen, and how it ends. */
import type { Alertmanager } from "../../../support/monitoring/alertmanager.ts";
import type { TestDatabase } from "../../../support/postgres.ts";

/** An alert as Alertmanager tells a receiver. */
export interface ToldAlert {
  readonly status: "firing" | "resolved";
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** The monitoring of services that a test breaks. */
export interface Monitoring {
  readonly alertmanager: Alertmanager;
  /** What each receiver of the example was told, in order. */
  told(receiver: "pager" | "tickets" | "dead-mans-switch"): readonly ToldAlert[];
}

/** A fault that has not happened yet. */
export interface PreparedFault {
  /** Ports at which Prometheus reads the instances concerned. */
  readonly metricsPorts: readonly number[];
  begin(): Promise<void>;
  /** Looks at the monitoring while all its alerts fire. */
  look?(monitoring: Monitoring): Promise<void>;
  end(): Promise<void>;
}

/** A fault of the service or of what it needs. Nobody writes a metric. */
export interface Fault {
  /** What happens, for the title of a test. */
  readonly what: string;
  /** The alerts that reach the pager while it lasts, and no others. */
  readonly alerts: readonly string[];
  /** Alerts that fire as well, and reach somebody else or are inhibited. */
  readonly others?: readonly string[];
  /** The alerts that reach the pager when it is over, and for a while. */
  readonly afterwards?: readonly string[];
  /** Starts what it is about to break, on a database of its own. */
  prepare(database: TestDatabase): Promise<PreparedFault>;
}
