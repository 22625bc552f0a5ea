// Writes docs/openapi.json and docs/errors.md from the code; with --check, fails when they are not up to date.
import { readFileSync, writeFileSync } from 'node:fs';
import { describeApi } from '../src/adapters/http/describe-api.ts';
import { problemsMarkdown } from '../src/adapters/http/problems-markdown.ts';

const documents = [
  { path: 'docs/openapi.json', text: `${JSON.stringify(await describeApi(), null, 2)}\n` },
  { path: 'docs/errors.md', text: problemsMarkdown() },
];

const isCheck = process.argv.includes('--check');
for (const { path, text } of documents) {
  const file = new URL(`../${path}`, import.meta.url);
  if (!isCheck) writeFileSync(file, text);
  else if (readFileSync(file, 'utf8') !== text) {
    console.error(`${path} is not what the code says; run: npm run openapi`);
    process.exitCode = 1;
  }
}
