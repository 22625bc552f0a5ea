import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { jobTransitions } from '../support/job-transitions.ts';

const document = readFileSync(new URL('../../docs/job-lifecycle.md', import.meta.url), 'utf8');
const transitions = jobTransitions();

it('the table of transitions says what the decider does, no more and no less', () => {
  const rows = document.matchAll(/^\| (\w+) \| ([\w, ]+) \| ([A-Z][\w+ ]+) \| ([\w, ]+) \| [^|]+ \|$/gm);
  const documented = [...rows].flatMap(([, command, froms = '', events, tos = '']) =>
    froms
      .split(', ')
      .flatMap((from) => tos.split(', ').map((to) => `${command}: ${from} > ${events} > ${to}`)),
  );
  const actual = transitions.map(
    ({ command, from, events, to }) => `${command}: ${from} > ${events} > ${to}`,
  );
  expect(documented.sort()).toEqual(actual.sort());
});

it('the diagram has an arrow for every change of status, no more and no less', () => {
  const [, diagram = ''] = /```mermaid\n(.*?)```/s.exec(document) ?? [];
  const arrows = [...diagram.matchAll(/^\s*(\S+) --> (\w+) : ./gm)].map(
    ([, from, to]) => `${from === '[*]' ? 'none' : from} > ${to}`,
  );
  const changes = transitions.filter(({ from, to }) => from !== to).map(({ from, to }) => `${from} > ${to}`);
  expect(arrows.sort()).toEqual([...new Set(changes)].sort());
});

it('every status is explained', () => {
  const statuses = new Set(transitions.map(({ to }) => to));
  const explained = [...document.matchAll(/^\| `(\w+)` \| [^|]+ \|$/gm)].map(([, status]) => status);
  expect(explained.sort()).toEqual([...statuses].sort());
});
