/** Runs of this flow wait for a signal after one task. */
export const WAITING_FLOW = `id: waiting
version: "1"
workflow:
  tasks:
    - {id: prepare, type: noop}
    - {id: go, type: signal, depends_on: [prepare]}
`;
