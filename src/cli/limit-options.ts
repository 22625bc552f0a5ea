import { type Command, InvalidArgumentError, Option } from 'commander';
import type { PutPlanRequest } from '../adapters/http/contract/plans.ts';
import type { Quota } from '../adapters/http/contract/quotas.ts';
import { wholeNumber } from './values.ts';

type Limits = Quota['limits'];

/** `none` as text: commander takes null for an option without a value. */
export interface LimitOptions extends Partial<Record<keyof Limits, number | 'none'>> {
  readonly onExceed?: Quota['onExceed'];
  readonly weight?: number;
}

type Terms = Pick<Quota, 'limits' | 'onExceed' | 'weight'>;

const LIMITS: Readonly<Record<keyof Limits, readonly [flag: string, meaning: string, most: number]>> = {
  jobsPerDay: ['--jobs-per-day <n>', 'jobs enqueued from one UTC midnight to the next', 1_000_000_000],
  unfinishedJobs: ['--unfinished-jobs <n>', 'jobs that have not ended', 1_000_000_000],
  runningJobs: ['--running-jobs <n>', 'attempts at once; what is above it waits', 1_000_000],
  enqueuesPerSecond: ['--enqueues-per-second <n>', 'jobs enqueued each second, in the long run', 1_000_000],
  enqueueBurst: ['--enqueue-burst <n>', 'jobs enqueued at once after a rest', 1_000_000],
  payloadBytes: ['--payload-bytes <n>', 'bytes of one payload', 1_048_576],
};

/** Options for every limit, each a number or `none`. */
export function withLimitOptions(command: Command): Command {
  for (const [flag, meaning, most] of Object.values(LIMITS)) command.option(flag, meaning, limit(most));
  return command
    .addOption(new Option('--on-exceed <what>', 'with what is above a limit').choices(['reject', 'delay']))
    .option('--weight <n>', 'turns beside other tenants', wholeNumber(1, 100));
}

/** What is given, over what was there before. */
export function changedTerms(given: LimitOptions, before: Terms | undefined): PutPlanRequest {
  const names = Object.keys(LIMITS) as (keyof Limits)[];
  const limits = Object.fromEntries(
    names.map((name) => {
      const value = given[name] ?? before?.limits[name] ?? 'none';
      return [name, value === 'none' ? null : value];
    }),
  );
  return {
    limits,
    onExceed: given.onExceed ?? before?.onExceed ?? 'reject',
    weight: given.weight ?? before?.weight ?? 1,
  };
}

export const hasLimits = (given: LimitOptions): boolean =>
  given.onExceed !== undefined ||
  given.weight !== undefined ||
  Object.keys(LIMITS).some((name) => given[name as keyof Limits] !== undefined);

const limit =
  (most: number) =>
  (text: string): number | 'none' => {
    if (text === 'none') return text;
    try {
      return wholeNumber(0, most)(text);
    } catch {
      throw new InvalidArgumentError(`write a whole number from 0 to ${most}, or none.`);
    }
  };
