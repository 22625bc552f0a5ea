/** A job of the benchmark: a number to check counts and order by, in a payload of about 60 bytes. */
export const payloadOf = (n: number): { n: number; to: string; template: string } => ({
  n,
  to: 'user@example.com',
  template: 'welcome',
});

/** What each measured system can do; one process runs one system on an empty store. */
export interface System {
  readonly name: string;
  start(urls: { readonly postgres: string; readonly redis: string }): Promise<void>;
  stop(): Promise<void>;
  /** Durable when it resolves. */
  enqueue(n: number): Promise<void>;
  /** Durable when it resolves. */
  enqueueBulk(numbers: readonly number[]): Promise<void>;
  /** Calls onJob for every execution. `pickup`: set up for latency rather than for throughput. */
  work(onJob: (n: number) => void, tuning: 'throughput' | 'pickup'): Promise<void>;
  /** Resolves when everything that was executed is also durably finished. */
  settled(): Promise<void>;
  /** Resolves when everything that can be queried shows what was executed, where that is not the same moment. */
  readModelsCurrent?(): Promise<void>;
}
