/** Counts how often it was called to note a change. */
export function notes() {
  let taken = 0;
  return {
    taken: () => taken,
    note: async () => {
      taken += 1;
    },
  };
}

/** The log that a change is noted in is away. */
export const failing = () => Promise.reject(new Error('the log is away'));
