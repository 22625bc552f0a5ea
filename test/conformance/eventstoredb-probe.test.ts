import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { EventStoreDbServer } from '../support/eventstoredb/server.ts';

const FOLDER = new URL('../support/eventstoredb/', import.meta.url).pathname;

/** Asks all that probe.mjs asks; one line an answer. */
async function answersOf(url: string): Promise<readonly string[]> {
  const { stdout } = await promisify(execFile)(process.execPath, [`${FOLDER}probe.mjs`, url], {
    timeout: 60_000,
  });
  return stdout.trim().split('\n');
}

describe('EventStoreDB', () => {
  const observed = readFileSync(`${FOLDER}observed.jsonl`, 'utf8').trim().split('\n');

  test('is stood in for by a server that answers the same, line by line', { timeout: 90_000 }, async () => {
    await using server = await EventStoreDbServer.start();

    expect(await answersOf(server.url)).toEqual(observed);
  });

  const real = process.env.EVENTSTOREDB_URL;
  // Without a real one there is nothing to compare; this test exists only where there is.
  if (real) {
    test('answers as it did when it was observed', { timeout: 90_000 }, async () => {
      expect(await answersOf(real)).toEqual(observed);
    });
  }
});
