/** Starts a background task; stopping it waits for its end and hands on its failure. */
export function running(task: (signal: AbortSignal) => Promise<void>) {
  const stop = new AbortController();
  const ended = task(stop.signal);
  ended.catch(() => undefined);
  return {
    ended,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await ended;
    },
  };
}
