import type { JobStatus } from '../adapters/http/contract/jobs.ts';
import type { Output } from './output.ts';

const STYLES: Readonly<Record<JobStatus, 'green' | 'red' | 'yellow' | 'cyan' | 'blue' | 'gray'>> = {
  scheduled: 'blue',
  queued: 'cyan',
  running: 'yellow',
  retrying: 'yellow',
  completed: 'green',
  cancelled: 'gray',
  dead_lettered: 'red',
  purged: 'gray',
};

export const statusText = (out: Output, status: JobStatus): string => out.paint(STYLES[status], status);

/** 850 ms, 12 s, 3 min, 5 h, 9 d: one unit is enough to get an idea. */
export function ageText(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 100_000) return `${Math.round(ms / 1_000)} s`;
  if (ms < 100 * 60_000) return `${Math.round(ms / 60_000)} min`;
  if (ms < 72 * 3_600_000) return `${Math.round(ms / 3_600_000)} h`;
  return `${Math.round(ms / 86_400_000)} d`;
}

export const sinceText = (time: string, now = Date.now()): string => {
  const ms = now - Date.parse(time);
  return ms >= 0 ? `${ageText(ms)} ago` : `in ${ageText(-ms)}`;
};

export const numberText = (value: number): string => value.toLocaleString('en');

/** What a terminal obeys, and what makes a line read otherwise than it is written. */
const STEERING = /(?![\n\t])[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

const hex = (character: string, digits: number): string =>
  character.charCodeAt(0).toString(16).padStart(digits, '0');

/** One line of at most `length` characters. */
export function shortText(text: string, length: number): string {
  const line = text.replaceAll(STEERING, ' ').replaceAll(/\s+/g, ' ').trim();
  return line.length > length ? `${line.slice(0, length - 1)}…` : line;
}

/** Text from elsewhere must not steer the terminal. */
export const plainText = (text: string): string =>
  text.replaceAll(STEERING, (character) =>
    character > '\xff' ? `\\u${hex(character, 4)}` : `\\x${hex(character, 2)}`,
  );

/** JSON for people. It escapes few of these characters itself; escaped, they are the same JSON. */
export const jsonText = (value: unknown): string =>
  JSON.stringify(value, null, 2).replaceAll(STEERING, (character) => `\\u${hex(character, 4)}`);
