/**
 * Health of the service and of its parts: one truth behind `orchestrator.health.v1`, `grpc.health.v1` and the HTTP
 * probes.
 */

/** Whether calls are taken. */
export type ServingState = "SERVING" | "NOT_SERVING";

/** Health as probes see it. */
export interface Health {
  /** State of the whole service (`""`) or of one name; null for a name that is not known. */
  check(service: string): ServingState | null;
  /** State of every name. */
  list(): ReadonlyMap<string, ServingState>;
  /** Looks whether the dependencies are there, unless somebody has just looked. Never throws. */
  refresh(): Promise<void>;
  /** Calls `listener` after every change until the returned function is called. */
  subscribe(listener: () => void): () => void;
}

/** Health that its owner steers. */
export interface HealthState extends Health {
  /** Whether the service as a whole takes calls: false while it starts or drains. */
  setServing(serving: boolean): void;
  /** Whether a dependency without which no call can be answered is there, for instance the database. */
  setDependency(name: string, ready: boolean): void;
  /** How {@link Health.refresh} looks; it calls {@link HealthState.setDependency} when something has changed. */
  setProbe(probe: () => Promise<void>): void;
  /** Names of the dependencies that are not ready. */
  missing(): readonly string[];
  /** Makes names of services known. They share the state of the whole. */
  addServices(names: readonly string[]): void;
}

/** Health that begins as NOT_SERVING. It serves when it was told so and every dependency is ready. */
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
