import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { describeCli, namedCommands } from '../../src/cli/describe-cli.ts';
import { createProgram } from '../../src/cli/program.ts';

const file = new URL('../../docs/cli.md', import.meta.url);

describe('docs/cli.md', () => {
  it('is what the commands say of themselves (npm run docs:cli writes it)', () => {
    expect(readFileSync(file, 'utf8')).toBe(describeCli());
  });

  it('shows an example of every command, and one that is of this command', () => {
    const wrong = namedCommands(createProgram())
      .map(({ name }) => ({ name: name.replace(/^eventzr-jobs ?/, ''), help: sectionOf(name) }))
      .filter(({ name, help }) => !help.includes(`Example\n  npx eventzr-jobs ${name}`));
    expect(wrong.map(({ name }) => name)).toEqual([]);
  });
});

function sectionOf(name: string): string {
  const text = readFileSync(file, 'utf8');
  const start = text.indexOf(`## ${name}\n`);
  const end = text.indexOf('\n## ', start + 1);
  return text.slice(start, end < 0 ? undefined : end);
}
