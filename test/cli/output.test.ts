import { PassThrough } from 'node:stream';
import { styleText } from 'node:util';
import { expect, it } from 'vitest';
import { Output } from '../../src/cli/output.ts';

/** What it writes, and to where. */
function written(json = false) {
  const stdout = new PassThrough() as PassThrough & NodeJS.WriteStream;
  const stderr = new PassThrough() as PassThrough & NodeJS.WriteStream;
  const text = (stream: PassThrough): string => String(stream.read() ?? '');
  const out = new Output({ json, stdout, stderr });
  return { out, stdout: () => text(stdout), stderr: () => text(stderr) };
}

const red = (text: string) => styleText('red', text, { validateStream: false });

/** Clears the screen, writes a title, colours what follows, begins a line, turns the direction. */
const EVIL = 'a\u001b[2J\u001b]0;x\u0007\u001b[32mb\r\nc\u009b1m\u202ed\u2028e\tf';

it('a name with line breaks and escapes stays one cell of one row', () => {
  const { out } = written();
  const table = out.table(
    ['NAME', 'STATE'],
    [
      [EVIL, 'works'],
      ['plain', 'works'],
    ],
  );
  const lines = table.split('\n');
  expect(lines).toHaveLength(3);
  expect(lines[1]).toMatch(/^a\\x1b\[2J.*\\x1b\[32mb\\x0d c.* works$/);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there.
  expect(table).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202e]/);
});

it('cells keep the colour they are painted in, and nothing else', () => {
  const { out } = written();
  expect(out.table(['STATE'], [[red('revoked')]])).toContain(red('revoked'));
  const shown = out.table(['STATE'], [[red('paused\nby a\u001b[2Jb')]]);
  expect(shown).toContain(red('paused by a\\x1b[2Jb'));
  for (const bleeding of ['\u001b[31mno end', '\u001b[31mred\u001b[32m', '\u001b[8mhidden\u001b[39m']) {
    expect(out.table(['STATE'], [[bleeding]])).not.toContain('\u001b');
  }
});

it('values of fields keep their lines, indented, and steer nothing', () => {
  const { out } = written();
  const text = out.fields([
    ['reason', 'one\nstatus  completed\u001b[2J'],
    ['status', red('cancelled')],
  ]);
  expect(text.split('\n').map((line) => line.slice(-20))).toHaveLength(3);
  expect(text).toContain('\n        status  completed\\x1b[2J\n');
  expect(text).toContain(red('cancelled'));
});

it('lines and notes that quote something steer nothing, whatever they quote', async () => {
  const { out, stdout, stderr } = written();
  await out.result({}, () => `${red('paused')}: ${EVIL}`);
  await out.item({}, () => EVIL);
  out.note(EVIL);
  for (const text of [stdout(), stderr()]) {
    expect(text).toContain('\\x1b[2J');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there.
    expect(text).not.toMatch(/\x1b\[2J|\x1b\]|[\x07\x0d\x9b\u202e]/);
  }
});

it('JSON for programs is what it was', async () => {
  const { out, stdout } = written(true);
  await out.result({ name: EVIL }, () => '');
  await out.item({ name: EVIL }, () => '');
  expect(stdout()).toBe(`${JSON.stringify({ name: EVIL }, null, 2)}\n${JSON.stringify({ name: EVIL })}\n`);
});
