import type pg from 'pg';
import type { Position } from '../../commands/ports.ts';
import { inTransaction } from '../../projections/in-transaction.ts';

/** Another forwarder leads, or has moved the checkpoint: this one must not go on. */
export class ForwarderReplacedError extends Error {
  readonly code = 'forwarder_replaced';
  constructor() {
    super('the checkpoint of the forwarder is no longer where this process left it');
  }
}

/** Why the forwarder does not get on. `at` is milliseconds since 1970. */
export interface ForwarderFault {
  readonly message: string;
  readonly attempts: number;
  readonly at: number;
}

/** An event that is left out, and why. */
export interface UndeliveredEvent {
  readonly position: Position;
  readonly stream: string;
  readonly revision: number;
  readonly type: string;
  readonly error: string;
}

export interface ForwarderMove {
  readonly from: Position;
  readonly to: Position;
  readonly fence: bigint;
  readonly eventsPerSecond: number;
  readonly undelivered: readonly UndeliveredEvent[];
}

/** What the forwarder remembers, in migrations/0006_forwarder.sql. */
export interface ForwarderStore {
  /** Takes the checkpoint over from leaders with a lower fence. Throws ForwarderReplacedError when a later one has it. */
  claim(fence: bigint): Promise<Position>;
  /** Compare and set, along with the events that were left out. Throws ForwarderReplacedError. */
  move(move: ForwarderMove): Promise<void>;
  /** undefined: nothing is wrong any more. */
  recordFault(fence: bigint, fault: ForwarderFault | undefined): Promise<void>;
}

/** The name under which the feed to Kafka is kept; the view kafka_outbox knows it, too. */
export const FORWARDER = 'kafka';

export function createForwarderStore(pool: pg.Pool, name = FORWARDER): ForwarderStore {
  return {
    async claim(fence) {
      const { rows } = await pool.query<{ position: string }>(CLAIM, [name, `${fence}`]);
      const [row] = rows;
      if (!row) throw new ForwarderReplacedError();
      return BigInt(row.position);
    },
    async move(move) {
      if (move.undelivered.length === 0) return moveCheckpoint(pool, name, move);
      await inTransaction(pool, (client) => moveForwarder(client, name, move));
    },
    async recordFault(fence, fault) {
      const value = fault === undefined ? null : JSON.stringify(fault);
      await pool.query(RECORD_FAULT, [name, `${fence}`, value]);
    },
  };
}

/** As `move`, within a transaction of the caller's: true or false along with what else it holds. */
export async function moveForwarder(client: pg.PoolClient, name: string, move: ForwarderMove): Promise<void> {
  await moveCheckpoint(client, name, move);
  if (move.undelivered.length > 0) await recordUndelivered(client, name, move.undelivered);
}

async function moveCheckpoint(
  client: pg.Pool | pg.PoolClient,
  name: string,
  { from, to, fence, eventsPerSecond }: ForwarderMove,
): Promise<void> {
  const values = [name, `${from}`, `${to}`, `${fence}`, eventsPerSecond];
  const { rowCount } = await client.query(MOVE, values);
  if (rowCount !== 1) throw new ForwarderReplacedError();
}

async function recordUndelivered(
  client: pg.PoolClient,
  name: string,
  undelivered: readonly UndeliveredEvent[],
): Promise<void> {
  await client.query(RECORD_UNDELIVERED, [
    name,
    undelivered.map(({ position }) => `${position}`),
    undelivered.map(({ stream }) => stream),
    undelivered.map(({ revision }) => revision),
    undelivered.map(({ type }) => type),
    undelivered.map(({ error }) => error),
  ]);
}

const CLAIM = `
insert into forwarder_checkpoints as checkpoint (name, position, fence)
values ($1, 0, $2)
on conflict (name) do update
set fence = excluded.fence
where checkpoint.fence <= excluded.fence
returning position`;

const MOVE = `
update forwarder_checkpoints
set position = $3, events_per_second = $5, updated_at = clock_timestamp()
where name = $1 and position = $2 and fence = $4`;

const RECORD_FAULT = `
update forwarder_checkpoints
set last_error = $3
where name = $1 and fence = $2`;

const RECORD_UNDELIVERED = `
insert into forwarder_dead_letters (name, position, stream, revision, type, error)
select $1, event.*
from unnest($2::bigint[], $3::text[], $4::int[], $5::text[], $6::text[]) event
on conflict (name, position) do update
set error = excluded.error, recorded_at = clock_timestamp()`;
