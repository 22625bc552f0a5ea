import { LogOverloadedError } from '../../commands/ports.ts';

export interface BatcherSettings<Item, Result> {
  readonly maxBatch: number;
  /** Batches that may run side by side. */
  readonly maxAtOnce: number;
  /** Items that may wait; more are turned away with LogOverloadedError. */
  readonly maxWaiting: number;
  /** Items with the same key are never in one batch, nor in two that run at the same time. Absent: any go together. */
  keyOf?(item: Item): string;
  /** Results in the order of the items. */
  run(items: readonly Item[]): Promise<readonly Result[]>;
}

interface Waiting<Item, Result> {
  readonly item: Item;
  readonly key: string | undefined;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

/** Lets callers that come at the same time share one statement. Nobody waits for a batch to fill. */
export class Batcher<Item, Result> {
  readonly #settings: BatcherSettings<Item, Result>;
  readonly #runningKeys = new Set<string>();
  #waiting: Waiting<Item, Result>[] = [];
  #running = 0;
  #scheduled = false;

  constructor(settings: BatcherSettings<Item, Result>) {
    this.#settings = settings;
  }

  add(item: Item): Promise<Result> {
    if (this.#waiting.length >= this.#settings.maxWaiting)
      return Promise.reject(new LogOverloadedError(1_000));
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    this.#waiting.push({ item, key: this.#settings.keyOf?.(item), resolve, reject });
    if (!this.#scheduled) {
      this.#scheduled = true;
      setImmediate(() => {
        this.#scheduled = false;
        this.#start();
      });
    }
    return promise;
  }

  #start(): void {
    while (this.#running < this.#settings.maxAtOnce) {
      const batch = this.#takeBatch();
      if (batch.length === 0) return;
      this.#running += 1;
      void this.#run(batch);
    }
  }

  #takeBatch(): readonly Waiting<Item, Result>[] {
    const batch: Waiting<Item, Result>[] = [];
    const left: Waiting<Item, Result>[] = [];
    for (const waiting of this.#waiting) {
      const { key } = waiting;
      const blocked = key !== undefined && this.#runningKeys.has(key);
      if (blocked || batch.length === this.#settings.maxBatch) {
        left.push(waiting);
        continue;
      }
      if (key !== undefined) this.#runningKeys.add(key);
      batch.push(waiting);
    }
    this.#waiting = left;
    return batch;
  }

  async #run(batch: readonly Waiting<Item, Result>[]): Promise<void> {
    try {
      const results = await this.#settings.run(batch.map(({ item }) => item));
      batch.forEach(({ resolve }, index) => {
        resolve(results[index] as Result);
      });
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
    for (const { key } of batch) if (key !== undefined) this.#runningKeys.delete(key);
    this.#running -= 1;
    this.#start();
  }
}
