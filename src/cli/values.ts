import { readFileSync } from 'node:fs';
import { InvalidArgumentError } from 'commander';
import type { RetryPolicyRequest } from '../adapters/http/contract/jobs.ts';
import { parseLossless } from './lossless-json.ts';

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `500ms`, `30s`, `10m`, `2h`, `7d` as milliseconds. */
export function duration(text: string): number {
  const [, digits = '', unit = ''] = /^(\d{1,12})(ms|s|m|h|d)$/.exec(text) ?? [];
  const factor = UNITS[unit];
  if (factor === undefined) throw new InvalidArgumentError('write 500ms, 30s, 10m, 2h or 7d.');
  return Number(digits) * factor;
}

/** An RFC 3339 time, or a duration from now; as an RFC 3339 time. */
export function time(text: string): string {
  if (/^\d+(ms|s|m|h|d)$/.test(text)) return instant(Date.now() + duration(text));
  if (!/^\d{4}-\d\d-\d\dT.*(Z|[+-]\d\d:\d\d)$/.test(text) || Number.isNaN(Date.parse(text))) {
    throw new InvalidArgumentError(
      'write a time such as 2026-11-21T09:30:00Z, or 10m for ten minutes from now.',
    );
  }
  return instant(Date.parse(text));
}

/** As time, but durations lie in the past: `2h` is two hours ago. */
export function pastTime(text: string): string {
  return /^\d+(ms|s|m|h|d)$/.test(text) ? instant(Date.now() - duration(text)) : time(text);
}

/** As pastTime, and `14:03` or `14:03:20` is the last time that it was so, UTC. */
export function clockTime(text: string, _before?: unknown, now = Date.now()): string {
  const [, hours, minutes, seconds = '0'] = /^([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?$/.exec(text) ?? [];
  if (hours === undefined || minutes === undefined) return pastTime(text);
  const today = new Date(now).setUTCHours(Number(hours), Number(minutes), Number(seconds), 0);
  return instant(today > now ? today - 86_400_000 : today);
}

export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d{1,15}$/.test(text) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`write a whole number from ${least} to ${most}.`);
  };
}

export function json(text: string): unknown {
  try {
    return parseLossless(text);
  } catch (error) {
    throw new InvalidArgumentError(`this is no JSON: ${(error as Error).message}`);
  }
}

/** The JSON in a file; `-` reads standard input. */
export const jsonFile = (file: string): unknown => json(textFile(file));

export function textFile(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (error) {
    throw new InvalidArgumentError(`${file} can't be read: ${(error as Error).message}`);
  }
}

/** Collects an option that may be given several times. */
export const several = (text: string, before: readonly string[] = []): readonly string[] => [...before, text];

/** `standard`, `none`, `exponential`, `fixed:30s`, `steps:1s,10s,1m`. */
export function retryPolicy(text: string): RetryPolicyRequest {
  const [kind, rest = ''] = text.split(/:(.*)/s);
  if (kind === 'standard' || kind === 'none' || kind === 'exponential') return { kind };
  if (kind === 'fixed') return { kind, delayMs: duration(rest) };
  if (kind === 'steps') return { kind, stepsMs: rest.split(',').map(duration) };
  throw new InvalidArgumentError('write standard, none, exponential, fixed:30s or steps:1s,10s,1m.');
}

function instant(ms: number): string {
  const date = new Date(ms);
  if (Number.isNaN(date.getTime()) || date.getUTCFullYear() > 9999) {
    throw new InvalidArgumentError('that is too far away.');
  }
  return date.toISOString();
}
