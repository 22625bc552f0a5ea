import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { METRICS } from '../../src/adapters/metrics-catalogue.ts';
import { namedCommands } from '../../src/cli/describe-cli.ts';
import { createProgram } from '../../src/cli/program.ts';

const document = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8');
const SUFFIXES = { counter: '_total', gauge: '', histogram: '_seconds' } as const;
const exposed = Object.entries(METRICS).map(([name, { type }]) => `eventzr_${name}${SUFFIXES[type]}`);
/** Of the process; not ours to declare. */
const ofTheProcess = /^eventzr_(process|nodejs)_/;

it('the runbook names only metrics that exist', () => {
  const named = [...document.matchAll(/\beventzr_\w+/g)].map(([name]) => name);
  expect(named.filter((name) => !exposed.includes(name) && !ofTheProcess.test(name))).toEqual([]);
});

it('the runbook lists every metric in its table, once', () => {
  const [, table = ''] = document.split('## Every metric');
  const listed = [...table.matchAll(/`(eventzr_\w+)`/g)].map(([, name = '']) => name);
  expect(listed.filter((name) => !ofTheProcess.test(name)).sort()).toEqual(exposed.sort());
});

it('the runbook names only commands and options that exist', () => {
  const commands = namedCommands(createProgram()).map(({ name, command }) => ({
    name: name.replace(/^eventzr-jobs ?/, ''),
    options: command.options.map(({ long }) => long),
  }));
  const calls = [...document.matchAll(/(?:`|^ {4})jobs ([a-z][^`#\n]*)/gm)].map(([, call = '']) =>
    call.trim(),
  );
  const unknown = calls.filter((call) => {
    const command = commands.findLast(({ name }) => name !== '' && `${call} `.startsWith(`${name} `));
    const options = call.match(/--[a-z-]+/g) ?? [];
    return !command || options.some((option) => !command.options.includes(option));
  });
  expect(calls.length).toBeGreaterThan(10);
  expect(unknown).toEqual([]);
});

it('the runbook is short enough to be read in the night', () => {
  expect(document.split('\n').length).toBeLessThanOrEqual(170);
});
