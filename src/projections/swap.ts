import type { PoolClient } from 'pg';
import { pause } from '../commands/pause.ts';
import type { Position } from '../commands/ports.ts';
import { noLogger } from '../commands/telemetry.ts';
import { readCheckpoint, setFence } from './checkpoint.ts';
import { type Generation, liveGeneration, setStatus, showGeneration } from './generations.ts';
import { inTransaction } from './in-transaction.ts';
import { type Replay, replayWithin } from './replay.ts';

const TRIES = 20;
const TRY_AGAIN_MS = 250;
const LOCK_NOT_AVAILABLE = '55P03';
const DEADLOCK = '40P01';

/** Long readers of a view must not make all later ones queue up behind the swap. */
const SETTINGS = `set local lock_timeout = '2s'; set local statement_timeout = '60s'`;

/**
 * Shows a built generation in place of the live one, in one transaction: the live checkpoint is locked, the new tables
 * are brought up to it if they are behind, the views move, the old checkpoint is sealed so that its runner can't commit
 * any more and goes on with the new one. Readers never see anything older than before. Answers the position shown.
 */
export async function swap(replay: Replay, at: Position): Promise<Position> {
  const { environment, signal } = replay;
  for (let tries = 1; ; tries += 1) {
    try {
      return await inTransaction(environment.pool, (client) => swapWithin(client, replay, at), {
        settings: SETTINGS,
        signal,
      });
    } catch (error) {
      if (!isBusy(error) || tries === TRIES || signal.aborted) throw error;
      environment.logger?.info(
        { projection: replay.projection.name, tries },
        'views are busy; swapping again',
      );
      await pause(TRY_AGAIN_MS, signal);
    }
  }
}

async function swapWithin(client: PoolClient, replay: Replay, at: Position): Promise<Position> {
  const { projection, generation, environment } = replay;
  const { logger = noLogger } = environment;
  const old = await liveGeneration(client, projection.name);
  const checkpoint = old && (await readCheckpoint(client, projection, old, 'lock'));
  const position = checkpoint && checkpoint.position > at ? checkpoint.position : at;
  await replayWithin(client, replay, at, position);
  if (old) {
    await retire(client, replay, old);
    await dropViewsWithout(client, old, generation);
  }
  await setStatus(client, generation, 'live');
  // The leader that wrote the old one, or a later one, may take this one over; a leader before it may not.
  await setFence(client, projection, generation, checkpoint?.fence ?? 0n);
  await showGeneration(client, generation);
  logger.info(
    {
      projection: projection.name,
      from: old?.generation,
      to: generation.generation,
      position: `${position}`,
    },
    'projection swapped',
  );
  return position;
}

async function retire(client: PoolClient, { projection }: Replay, old: Generation): Promise<void> {
  await setStatus(client, old, 'retired');
  await setFence(client, projection, old, undefined);
}

async function dropViewsWithout(client: PoolClient, old: Generation, next: Generation): Promise<void> {
  for (const table of old.tables) {
    if (!next.tables.includes(table)) await client.query(`drop view if exists ${table}`);
  }
}

function isBusy(error: unknown): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    (error.code === LOCK_NOT_AVAILABLE || error.code === DEADLOCK)
  );
}
