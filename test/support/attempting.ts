import type pg from 'pg';
import type { Acknowledgement, Claim } from '../../src/commands/use-cases.ts';
import { CALLER, type DispatchProcess } from './dispatch.ts';
import { running } from './running.ts';
import { waitUntil } from './wait-until.ts';

/** A job that was enqueued and claimed just now; its lease is placed, so the clock may move. */
export async function claimed(
  process: DispatchProcess,
  options: Parameters<DispatchProcess['enqueue']>[1][number] = {},
): Promise<Claim> {
  await process.enqueue('acme', [options]);
  await process.projector.catchUp();
  const claim = await claimOne(process);
  await process.projector.catchUp();
  return claim;
}

export async function claimOne(process: DispatchProcess, workerId = 'worker'): Promise<Claim> {
  const [claim] = await process.claim({ workerId });
  if (!claim) throw new Error('nothing to claim');
  return claim;
}

export async function say(process: DispatchProcess, acknowledgement: Acknowledgement) {
  const [result] = await process.acknowledge(CALLER, '*', [acknowledgement]);
  await process.projector.catchUp();
  return result;
}

export async function beat(process: DispatchProcess, { leaseToken }: Claim) {
  const { leases } = await process.heartbeat(CALLER, {
    workerId: 'worker',
    leases: [{ leaseToken }],
    leaseMs: 30_000,
  });
  return leases[0]?.status;
}

export async function rowsOf(pool: pg.Pool, table: 'ready_jobs' | 'leases' | 'timers') {
  const { rows } = await pool.query(`select * from ${table}`);
  return rows;
}

/** Runs timers and sweeper until the job looks as wanted. */
export async function untilJob(process: DispatchProcess, jobId: string, wanted: object): Promise<void> {
  await using _timers = running(process.timers);
  await using _sweeper = running(process.sweeper);
  await waitUntil(`the job is ${JSON.stringify(wanted)}`, async () => {
    await process.projector.catchUp();
    const job = await process.job('acme', jobId);
    return Object.entries(wanted).every(([key, value]) => Reflect.get(job, key) === value);
  });
  await process.projector.catchUp();
}

export const ERROR = { type: 'Boom', message: 'it broke' };
