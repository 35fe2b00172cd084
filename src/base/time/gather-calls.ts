/** Calls of one turn of the event loop, made as one. */

interface Open<Key, Answer> {
  readonly key: Key;
  resolve(answer: Answer | Promise<Answer>): void;
  reject(error: unknown): void;
}

/**
 * A function that gathers the keys of the calls made in one turn of the event loop. `ask` gets at most `most` of them,
 * and answers each, in their order, or promises to; its error goes to all of them.
 */
export function gatherCalls<Key, Answer>(
  ask: (keys: readonly Key[]) => Promise<readonly (Answer | Promise<Answer>)[]>,
  most = Number.POSITIVE_INFINITY,
): (key: Key) => Promise<Answer> {
  let waiting: Open<Key, Answer>[] = [];
  const askFor = async (calls: readonly Open<Key, Answer>[]): Promise<void> => {
    try {
      const answers = await ask(calls.map(({ key }) => key));
      for (const [index, { resolve }] of calls.entries()) resolve(answers[index] as Answer);
    } catch (error) {
      for (const { reject } of calls) reject(error);
    }
  };
  const askAll = (): void => {
    const calls = waiting;
    waiting = [];
    for (let at = 0; at < calls.length; at += most) void askFor(calls.slice(at, at + most));
  };
  return (key) =>
    new Promise((resolve, reject) => {
      if (waiting.length === 0) setImmediate(askAll);
      waiting.push({ key, resolve, reject });
    });
}
