#!/usr/bin/env node
// The machine's Node may be too old for the command itself, so this file is plain and hands over to the Node that comes
// with the project.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const source = join(root, 'src/cli/main.ts');
const program = existsSync(source) ? source : join(root, 'dist/cli/main.js');

// Most of a short command's time would go into compiling it.
const NODE_COMPILE_CACHE = join(root, 'node_modules/.cache/compile');
const env = { NODE_COMPILE_CACHE, ...process.env };

const child = spawn(ownNode(), [program, ...process.argv.slice(2)], { stdio: 'inherit', env });
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('error', (error) => {
  process.stderr.write(`eventzr-jobs: cannot start: ${error.message}; run npm ci in ${root}\n`);
  process.exitCode = 1;
});
child.on('exit', (code, signal) => {
  process.exitCode = code ?? 128 + (constants.signals[signal] ?? 0);
});

function ownNode() {
  try {
    const folder = dirname(createRequire(import.meta.url).resolve('node/package.json'));
    const binary = join(folder, 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
    return existsSync(binary) ? binary : process.execPath;
  } catch {
    return process.execPath;
  }
}
