import { execFile } from 'node:child_process';
import { cp, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { type TempFolder, tempFolder } from '../support/temp-folder.ts';

const ROOT = new URL('../../', import.meta.url).pathname;
const TIME_LIMIT = 400_000;
const run = promisify(execFile);

/** What somebody else's program looks like: one file, both entries, the public types. */
const PROGRAM = `
import { createEngine, type EngineOptions } from 'eventzr-jobs';
import { FatalError, JobsClient } from 'eventzr-jobs/sdk';
import failed from 'eventzr-jobs/schemas/eventzr.jobs.failed.v1.json' with { type: 'json' };

type Jobs = { greet: { payload: { name: string }; result: string } };

const options: EngineOptions = { databaseUrl: process.env.DATABASE_URL ?? '' };
await using engine = await createEngine(options);
const greeted = Promise.withResolvers<string>();
const worker = engine.worker<Jobs>({
  handlers: {
    greet: async (job) => {
      if (job.payload.name === '') throw new FatalError('nobody to greet');
      greeted.resolve(\`hello \${job.payload.name}\`);
      return 'done';
    },
  },
});
worker.start();
await engine.enqueue('acme', [{ type: 'greet', payload: { name: 'ann' } }]);
console.log(await greeted.promise);
await worker.stop();
console.log(typeof new JobsClient<Jobs>({ url: 'http://127.0.0.1:1', apiKey: 'k' }).enqueue, failed.title);
`;

const TSCONFIG = {
  compilerOptions: {
    target: 'es2024',
    lib: ['es2024', 'esnext.disposable'],
    module: 'nodenext',
    types: ['node'],
    strict: true,
    noEmit: true,
  },
  include: ['program.ts'],
};

let folder: TempFolder;
let database: TestDatabase;
let consumer: string;
beforeAll(async () => {
  [folder, database] = await Promise.all([tempFolder(), createDatabase()]);
  consumer = await install(await pack());
}, TIME_LIMIT);
afterAll(async () => {
  await folder?.[Symbol.asyncDispose]();
  await database?.[Symbol.asyncDispose]();
});

describe('the npm package', () => {
  it('holds what it runs on, and nothing of the workshop', async () => {
    const installed = join(consumer, 'node_modules/eventzr-jobs');
    expect((await readdir(installed)).sort()).toEqual([
      'LICENSE',
      'README.md',
      'bin',
      'dist',
      'package.json',
      'schemas',
    ]);
    const migrations = await readdir(join(installed, 'dist/adapters/postgres/migrations'));
    expect(migrations.sort()).toEqual((await readdir(join(ROOT, 'src/adapters/postgres/migrations'))).sort());
  });

  it(
    'has types for whoever compiles against it, strictly',
    async () => {
      await program('tsc', ['-p', consumer], consumer);
    },
    TIME_LIMIT,
  );

  it(
    'runs an engine and knows the SDK and the schemas',
    async () => {
      const { stdout } = await program(process.execPath, ['program.ts'], consumer, {
        DATABASE_URL: database.url,
      });
      expect(stdout.trim().split('\n')).toEqual(['hello ann', 'function eventzr.jobs.failed.v1']);
    },
    TIME_LIMIT,
  );

  it('keeps its inside to itself', async () => {
    const inside = `import('eventzr-jobs/dist/engine.js')`;
    await expect(program(process.execPath, ['-e', inside], consumer)).rejects.toThrow(
      'ERR_PACKAGE_PATH_NOT_EXPORTED',
    );
  });

  it('brings a command that runs on the built code', async () => {
    const command = join(consumer, 'node_modules/eventzr-jobs/bin/eventzr-jobs.js');
    const { stdout } = await program(process.execPath, [command, '--version'], consumer);
    const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { version: string };
    expect(stdout.trim()).toBe(version);
  });
});

/** Builds in a folder of its own, so that dist/ stays as it is, and packs as npm publish would. */
async function pack(): Promise<string> {
  const stage = join(folder.path, 'stage');
  for (const part of ['package.json', 'LICENSE', 'README.md', 'bin', 'schemas']) {
    await cp(join(ROOT, part), join(stage, part), { recursive: true });
  }
  const dist = join(stage, 'dist');
  await program('tsc', ['-p', join(ROOT, 'tsconfig.build.json'), '--outDir', dist], ROOT);
  const migrations = 'adapters/postgres/migrations';
  await cp(join(ROOT, 'src', migrations), join(dist, migrations), { recursive: true });
  const { stdout } = await run('npm', ['pack', '--silent', '--ignore-scripts'], { cwd: stage });
  return join(stage, stdout.trim());
}

/** A project with the packed files in node_modules, and what they depend on from ours. */
async function install(tarball: string): Promise<string> {
  const project = join(folder.path, 'project');
  const installed = join(project, 'node_modules/eventzr-jobs');
  await mkdir(installed, { recursive: true });
  await run('tar', ['-xzf', tarball, '-C', installed, '--strip-components=1']);
  const { dependencies } = JSON.parse(await readFile(join(installed, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  for (const name of [...Object.keys(dependencies), '@types/node']) {
    const link = join(project, 'node_modules', name);
    await mkdir(dirname(link), { recursive: true });
    await symlink(join(ROOT, 'node_modules', name), link);
  }
  await writeFile(join(project, 'package.json'), '{"type":"module"}');
  await writeFile(join(project, 'tsconfig.json'), JSON.stringify(TSCONFIG));
  await writeFile(join(project, 'program.ts'), PROGRAM);
  return project;
}

async function program(
  file: string,
  args: readonly string[],
  cwd: string,
  env: Record<string, string> = {},
): Promise<{ readonly stdout: string }> {
  const path = `${join(ROOT, 'node_modules/.bin')}:${process.env.PATH}`;
  try {
    return await run(file, [...args], {
      cwd,
      env: { ...process.env, PATH: path, ...env },
      timeout: TIME_LIMIT,
    });
  } catch (error) {
    const { stdout, stderr } = error as { readonly stdout?: string; readonly stderr?: string };
    throw new Error(`${file} ${args.join(' ')} failed: ${stdout}${stderr}`, { cause: error });
  }
}
