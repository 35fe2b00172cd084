/** Health of the service and its parts, shared by `orchestrator.health.v1`, `grpc.health.v1`, and the HTTP probes. */

export type ServingState = "SERVING" | "NOT_SERVING";

/** Health as probes see it. */
export interface Health {
  /** State of the service (`""`) or of one name; null if the name is unknown. */
  check(service: string): ServingState | null;
  /** State of every name. */
  list(): ReadonlyMap<string, ServingState>;
  /** Checks the dependencies unless a check has just finished. Never throws. */
  refresh(): Promise<void>;
  /** Calls `listener` after every change; the returned function unsubscribes. */
  subscribe(listener: () => void): () => void;
}

/** Health with its setters. */
export interface HealthState extends Health {
  /** Whether the service accepts calls: false while it starts or drains. */
  setServing(serving: boolean): void;
  /** Whether a required dependency, such as the database, is available. */
  setDependency(name: string, ready: boolean): void;
  /** Sets the check behind {@link Health.refresh}, which calls {@link HealthState.setDependency} on changes. */
  setProbe(probe: () => Promise<void>): void;
  /** Dependencies that are not ready. */
  missing(): readonly string[];
  /** Adds names of services. They share the state of the whole service. */
  addServices(names: readonly string[]): void;
}

/** Starts as NOT_SERVING. It is SERVING after `setServing(true)` while every dependency is ready. */
export function createHealth(): HealthState {
  const names = new Set<string>(["", "orchestrator"]);
  const absent = new Set<string>();
  const listeners = new Set<() => void>();
  let serving = false;
  let look: () => Promise<void> = () => Promise.resolve();
  const state = (): ServingState => (serving && absent.size === 0 ? "SERVING" : "NOT_SERVING");
  const change = (move: () => void): void => {
    const before = state();
    move();
    if (state() !== before) for (const listener of [...listeners]) listener();
  };
  return {
    check: (service) => (names.has(service) ? state() : null),
    list: () => new Map([...names].map((name) => [name, state()])),
    refresh: () => look(),
    setProbe: (probe) => (look = probe),
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    setServing: (value) => change(() => (serving = value)),
    setDependency: (name, ready) => change(() => (ready ? absent.delete(name) : absent.add(name))),
    missing: () => [...absent],
    addServices(added) {
      for (const name of added) names.add(name);
    },
  };
}
