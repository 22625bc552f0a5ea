import { describe, expect, it } from 'vitest';
import { errorFingerprint, fnv1a64, normaliseMessage } from '../../src/domain/job/fingerprint.ts';

describe('a normalised error message', () => {
  it.each([
    ['timeout after 3000 ms', 'timeout after <n> ms'],
    ['took 1.5 s of 1,000', 'took <n> s of <n>'],
    ['job 01890a5d-ac96-774b-bcce-b302099a8057 is gone', 'job <id> is gone'],
    ['bad pointer 0xDEADBEEF', 'bad pointer <hex>'],
    ['commit 9fceb02d0ae598e95dc970b74767f19372d61af8 not found', 'commit <hex> not found'],
    ['no user \'ada\' in "prod" or `test`', 'no user <text> in <text> or <text>'],
    ["can't read, won't write", "can't read, won't write"],
    ['facade of a deadbeef', 'facade of a deadbeef'],
    ['  two\n\n\tlines ', 'two lines'],
    ['', ''],
  ])('of %j is %j', (message, normalised) => {
    expect(normaliseMessage(message)).toBe(normalised);
  });

  it('stays cheap for a message that is all quotes and digits', () => {
    expect(normaliseMessage(`'"\`1a`.repeat(200_000)).length).toBeLessThan(3000);
  });
});

describe('an error fingerprint', () => {
  const of = (message: string, type = 'Error') => errorFingerprint({ type, message });

  it('is the same for errors that differ by numbers, ids and quoted values', () => {
    expect(of("user 'ada' (17) not found")).toBe(of("user 'bob' (4711) not found"));
  });

  it('differs by type and by words', () => {
    expect(new Set([of('not found'), of('not allowed'), of('not found', 'TypeError')]).size).toBe(3);
  });

  it('never changes, because stored dead letters are grouped by it', () => {
    expect(of("user 'ada' (17) not found")).toBe('02f63f467db128df');
    expect(of('Verbindung verloren: 接続')).toBe('527c24569847c6bf');
  });

  it('is FNV-1a as published', () => {
    expect([fnv1a64(''), fnv1a64('a'), fnv1a64('foobar')]).toEqual([
      'cbf29ce484222325',
      'af63dc4c8601ec8c',
      '85944171f73967e8',
    ]);
  });
});
