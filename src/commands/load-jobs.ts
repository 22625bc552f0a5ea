import type { Job } from '../domain/job/state.ts';
import { type JobAddress, jobStream } from '../domain/job/stream.ts';
import type { DispatchDeps } from './dispatch-deps.ts';
import type { Known } from './handle.ts';
import { noLogger } from './telemetry.ts';

/** Most streams that one call of the log may name. */
const MAX_STREAMS = 1_000;

/** Jobs as they stand in the log, in the order of their addresses; undefined for one that this version can't understand. */
export async function loadJobs(
  { log, handler, logger = noLogger }: Pick<DispatchDeps, 'log' | 'handler' | 'logger'>,
  addresses: readonly JobAddress[],
): Promise<readonly (Known<Job> | undefined)[]> {
  const known: (Known<Job> | undefined)[] = [];
  for (let at = 0; at < addresses.length; at += MAX_STREAMS) {
    const names = addresses
      .slice(at, at + MAX_STREAMS)
      .map(({ tenantId, jobId }) => jobStream(tenantId, jobId));
    const streams = await log.readStreams([...new Set(names)]);
    for (const name of names) {
      try {
        known.push(handler.fold(streams.get(name) ?? []));
      } catch (err) {
        logger.error({ err, stream: name }, 'job cannot be read');
        known.push(undefined);
      }
    }
  }
  return known;
}
