// Writes schemas/ from the code. With --check, fails when it is not up to date or breaks what was released; with --release,
// takes it over as what is released from now on.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { schemaFiles } from '../src/adapters/cloudevents/json-schemas.ts';
import { breakingChanges, type JsonSchema } from './breaking-changes.ts';

const CURRENT = new URL('../schemas/', import.meta.url);
const RELEASED = new URL('../schemas/released/', import.meta.url);

const files = new Map(schemaFiles().map(({ name, text }) => [name, text]));

if (process.argv.includes('--check')) {
  for (const problem of [...drift(), ...broken()]) {
    console.error(problem);
    process.exitCode = 1;
  }
} else {
  write(CURRENT);
  if (process.argv.includes('--release')) {
    const problems = broken();
    if (problems.length === 0) write(RELEASED);
    for (const problem of problems) console.error(problem);
    process.exitCode = problems.length === 0 ? 0 : 1;
  }
}

function drift(): readonly string[] {
  const stored = namesIn(CURRENT);
  const changed = [...files].filter(
    ([name, text]) => !stored.includes(name) || readFileSync(new URL(name, CURRENT), 'utf8') !== text,
  );
  const surplus = stored.filter((name) => !files.has(name));
  return [...changed.map(([name]) => name), ...surplus].map(
    (name) => `schemas/${name} is not what the code says; run: npm run schemas`,
  );
}

function broken(): readonly string[] {
  return namesIn(RELEASED).flatMap((name) => {
    const text = files.get(name);
    if (text === undefined) return [`${name} was released and is gone: its events are still on their topic`];
    const released = JSON.parse(readFileSync(new URL(name, RELEASED), 'utf8')) as JsonSchema;
    return breakingChanges(released, JSON.parse(text) as JsonSchema).map(
      (change) => `${name}: ${change}; make a new version of the type instead`,
    );
  });
}

function write(folder: URL): void {
  mkdirSync(folder, { recursive: true });
  for (const name of namesIn(folder)) if (!files.has(name)) rmSync(new URL(name, folder));
  for (const [name, text] of files) writeFileSync(new URL(name, folder), text);
}

function namesIn(folder: URL): readonly string[] {
  return readdirSync(folder).filter((name) => name.endsWith('.json'));
}
