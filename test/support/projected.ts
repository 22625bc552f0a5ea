import type { Pool } from 'pg';
import type { DecodedEvent } from '../../src/commands/decoded-event.ts';
import { APPLY_SETTINGS } from '../../src/projections/apply-batch.ts';
import { type Generation, liveGeneration, writeTo } from '../../src/projections/generations.ts';
import { inTransaction } from '../../src/projections/in-transaction.ts';
import { prepareProjections } from '../../src/projections/prepare.ts';
import type { Projection } from '../../src/projections/projection.ts';

/** Applies batches to the live tables of projections, without a runner. */
export class Projected {
  readonly #pool: Pool;
  readonly #live: readonly (readonly [Projection, Generation])[];

  private constructor(pool: Pool, live: readonly (readonly [Projection, Generation])[]) {
    this.#pool = pool;
    this.#live = live;
  }

  static async prepare(pool: Pool, projections: readonly Projection[]): Promise<Projected> {
    await prepareProjections(pool, projections);
    const live = projections.map(async (projection) => {
      const generation = await liveGeneration(pool, projection.name);
      if (!generation) throw new Error(`${projection.name} has no tables`);
      return [projection, generation] as const;
    });
    return new Projected(pool, await Promise.all(live));
  }

  async apply(events: readonly DecodedEvent[]): Promise<void> {
    for (const [projection, generation] of this.#live) {
      await inTransaction(this.#pool, (client) => projection.apply(events, writeTo(client, generation)), {
        settings: APPLY_SETTINGS,
      });
    }
  }
}
