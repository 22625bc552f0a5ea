import { expect, it } from 'vitest';
import { startProgram } from '../support/program.ts';
import { waitUntil } from '../support/wait-until.ts';

it('a program ends though a part of it does not, and says so', async () => {
  await using program = startProgram('test/support/never-closing.ts', [], {});
  await waitUntil('it has started', () => program.output().includes('started'));
  program.process.kill('SIGTERM');
  expect(await program.ended).toBe(1);
  expect(program.output()).toContain('server.cut_off');
});
