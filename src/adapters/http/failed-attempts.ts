import { isIPv6 } from 'node:net';
import type { Clock } from '../../commands/ports.ts';
import type { Metrics } from '../../commands/telemetry.ts';

const FREE = 10;
const QUIET_MS = 60_000;
const LONGEST_MS = 60_000;
const MOST_ADDRESSES = 10_000;

interface Entry {
  readonly failures: number;
  readonly lastAt: number;
}

/**
 * Counts tokens that were nobody's by the address they came from, so that guessing gets slower and slower. Only failing
 * tokens are slowed: whoever has a good one is not punished for what others behind the same address do.
 */
export class FailedAttempts {
  readonly #clock: Clock;
  readonly #metrics: Metrics;
  /** The one that failed longest ago comes first. */
  readonly #entries = new Map<string, Entry>();

  constructor(clock: Clock, metrics: Metrics) {
    this.#clock = clock;
    this.#metrics = metrics;
  }

  /** Notes a failure; answers how many milliseconds to stay away, 0 while there were few. */
  note(address: string): number {
    const source = sourceOf(address);
    const now = this.#clock.now();
    const known = this.#entries.get(source);
    const goesOn = known !== undefined && Math.abs(now - known.lastAt) < QUIET_MS;
    const failures = goesOn ? known.failures + 1 : 1;
    this.#entries.delete(source);
    this.#entries.set(source, { failures, lastAt: now });
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > MOST_ADDRESSES && oldest !== undefined) this.#entries.delete(oldest);
    this.#metrics.count('auth_failures', 1, { outcome: failures > FREE ? 'slowed' : 'refused' });
    return failures > FREE ? Math.min(LONGEST_MS, 1_000 * 2 ** Math.min(failures - FREE - 1, 6)) : 0;
  }
}

/** One customer has a whole /64 of IPv6 addresses to himself. */
function sourceOf(address: string): string {
  if (!isIPv6(address) || address.startsWith('::ffff:')) return address;
  const [head = '', tail] = address.split('::');
  const front = head === '' ? [] : head.split(':');
  const back = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros =
    tail === undefined ? [] : Array<string>(Math.max(0, 8 - front.length - back.length)).fill('0');
  return [...front, ...zeros, ...back].slice(0, 4).join(':');
}
