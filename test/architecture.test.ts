import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = new URL('..', import.meta.url).pathname;
const MAX_LINES = 300;
const README_MAX_LINES = 200;

interface SourceFile {
  /** From the project's folder, with slashes. */
  readonly path: string;
  readonly text: string;
  readonly imports: readonly { readonly target: string; readonly typeOnly: boolean }[];
}

/** Which folders of src/ may be imported from where. A folder may always import itself. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  domain: [],
  commands: ['domain'],
  projections: ['commands', 'domain'],
  adapters: ['projections', 'commands', 'domain'],
  sdk: [],
};

/** What a folder may take from outside the project; absent: anything. */
const MAY_USE: Readonly<Record<string, readonly RegExp[]>> = {
  domain: [],
  commands: [/^zod$/, /^node:crypto$/, /^node:timers/, /^node:events$/],
  projections: [/^zod$/, /^node:/, /^pg$/],
  sdk: [/^node:/],
};

/** Decisions get time, ids and random numbers handed in. Measuring how long something took is no decision. */
const UNDECIDED = /\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|\brandomUUID\b/;
const IMPURE = new RegExp(`${UNDECIDED.source}|\\bperformance\\.|\\bprocess\\.|\\basync\\b|\\bPromise\\b`);

const sources = sourceFiles('src');
const everything = ['src', 'test', 'bench', 'examples', 'scripts'].flatMap(sourceFiles);
const documents = markdownFiles('.');

describe('the source tree', () => {
  it('lets imports point one way: domain <- commands <- projections, adapters <- engine, main', () => {
    const offences = sources.flatMap(({ path, imports }) => {
      const layer = layerOf(path);
      const allowed = MAY_IMPORT[layer];
      if (allowed === undefined) return [];
      return imports
        .filter(({ target }) => target.startsWith('src/'))
        .filter(({ target }) => ![layer, ...allowed].includes(layerOf(target)))
        .filter((imported) => !isTypeOfNeighbour(layer, imported))
        .map(({ target }) => `${path} imports ${target}`);
    });
    expect(offences).toEqual([]);
  });

  it('keeps libraries and the system out of the inner folders', () => {
    const offences = sources.flatMap(({ path, imports }) => {
      const allowed = MAY_USE[layerOf(path)];
      if (allowed === undefined) return [];
      return imports
        .filter(({ target, typeOnly }) => !target.startsWith('src/') && !typeOnly)
        .filter(({ target }) => !allowed.some((pattern) => pattern.test(target)))
        .map(({ target }) => `${path} imports ${target}`);
    });
    expect(offences).toEqual([]);
  });

  it('hands time and chance to the parts that decide', () => {
    const offences = sources.filter(
      ({ path, text }) =>
        ['domain', 'commands', 'projections'].includes(layerOf(path)) && UNDECIDED.test(code(text)),
    );
    expect(offences.map(({ path }) => path)).toEqual([]);
  });

  it('has a pure domain', () => {
    const offences = sources.filter(
      ({ path, text }) => layerOf(path) === 'domain' && IMPURE.test(code(text)),
    );
    expect(offences.map(({ path }) => path)).toEqual([]);
  });

  it(`has no file above ${MAX_LINES} lines`, () => {
    const long = everything.filter(({ text }) => text.trimEnd().split('\n').length > MAX_LINES);
    expect(long.map(({ path }) => path)).toEqual([]);
  });

  it('names files for what they hold', () => {
    const vague = /(^|[/-])(utils?|helpers?|common|misc|managers?|shared)([-./]|$)/;
    const offences = everything.filter(({ path }) => vague.test(path) || !/^[a-z0-9./-]+$/.test(path));
    expect(offences.map(({ path }) => path)).toEqual([]);
  });

  it('has no barrels but the public entry points', () => {
    const barrels = sources
      .filter(({ path }) => !['src/index.ts', 'src/sdk/index.ts'].includes(path))
      .filter(({ text }) => {
        const statements = code(text).trim().split(/;\s*/).filter(Boolean);
        return (
          statements.length > 0 && statements.every((statement) => /^export\b[^=]*\bfrom\b/s.test(statement))
        );
      });
    expect(barrels.map(({ path }) => path)).toEqual([]);
  });

  it('exports by name', () => {
    const offences = sources.filter(({ text }) => /^export default\b/m.test(text));
    expect(offences.map(({ path }) => path)).toEqual([]);
  });

  it('exports nothing that nobody uses', () => {
    const words = new Map<string, number>();
    for (const { text } of everything)
      for (const [word] of text.matchAll(/\w+/g)) words.set(word, (words.get(word) ?? 0) + 1);
    const offences = sources.flatMap(({ path, text }) =>
      [
        ...text.matchAll(
          /^export (?:async )?(?:abstract )?(?:const|function|class|type|interface) \*?(\w+)/gm,
        ),
      ]
        .filter(([, name = '']) => words.get(name) === 1)
        .map(([, name]) => `${path} exports ${name}`),
    );
    expect(offences).toEqual([]);
  });

  it('leaves nothing for later in comments', () => {
    const offences = everything.filter(
      ({ text }) =>
        /\b(TODO|FIXME|XXX|HACK)\b(?!\|)/.test(text) && !text.includes('leaves nothing for later'),
    );
    expect(offences.map(({ path }) => path)).toEqual([]);
  });
});

describe('the documents', () => {
  it('include those that everyone looks for', () => {
    const wanted = [
      'README.md',
      'ARCHITECTURE.md',
      'CONTRIBUTING.md',
      'CHANGELOG.md',
      'LICENSE',
      'docs/configuration.md',
    ];
    const catalogues = ['docs/events.md', 'docs/errors.md', 'docs/job-lifecycle.md'];
    expect([...wanted, ...catalogues].filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });

  it(`keep the README below ${README_MAX_LINES} lines`, () => {
    expect(readFileSync(join(ROOT, 'README.md'), 'utf8').split('\n').length).toBeLessThanOrEqual(
      README_MAX_LINES,
    );
  });

  it('link only to files that exist', () => {
    const broken = documents.flatMap(({ path, text }) =>
      [...text.matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)]
        .map(([, link = '']) => join(dirname(path), link))
        .filter((target) => !existsSync(join(ROOT, target)))
        .map((target) => `${path} links to ${target}`),
    );
    expect(broken).toEqual([]);
  });

  it('name only npm scripts that exist', () => {
    const unknown = documents.flatMap(({ path, text }) => {
      const scripts = { ...scriptsIn('.'), ...scriptsIn(dirname(path)) };
      return [...text.matchAll(/\bnpm run (?:--silent )?([a-z:-]+)/g)]
        .filter(([, name = '']) => !(name in scripts))
        .map(([, name]) => `${path} names npm run ${name}`);
    });
    expect(unknown).toEqual([]);
  });
});

function scriptsIn(folder: string): Record<string, string> {
  const file = join(ROOT, folder, 'package.json');
  if (!existsSync(file)) return {};
  return (JSON.parse(readFileSync(file, 'utf8')) as { scripts?: Record<string, string> }).scripts ?? {};
}

function sourceFiles(folder: string): SourceFile[] {
  return filesBelow(folder, /\.tsx?$/).map((path) => {
    const text = readFileSync(join(ROOT, path), 'utf8');
    const found = text.matchAll(/^\s*(?:import|export)\s+(type\s)?(?:[^'";]*?\sfrom\s+)?'([^']+)'/gm);
    const imports = [...found].map(([, type, specifier = '']) => ({
      target: specifier.startsWith('.') ? relative(ROOT, join(ROOT, dirname(path), specifier)) : specifier,
      typeOnly: type !== undefined,
    }));
    return { path, text, imports };
  });
}

function markdownFiles(folder: string): { path: string; text: string }[] {
  return filesBelow(folder, /\.md$/).map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }));
}

function filesBelow(folder: string, name: RegExp): string[] {
  const start = join(ROOT, folder);
  if (!existsSync(start)) return [];
  return readdirSync(start, { withFileTypes: true }).flatMap((entry) => {
    const path = relative(ROOT, join(start, entry.name));
    if (entry.isDirectory())
      return /^(node_modules|dist|\..*)$/.test(entry.name) ? [] : filesBelow(path, name);
    return name.test(entry.name) ? [path] : [];
  });
}

/** The SDK knows the shapes of the HTTP contract and carries none of its code; an adapter may be shaped to fit the SDK. */
function isTypeOfNeighbour(layer: string, { target, typeOnly }: SourceFile['imports'][number]): boolean {
  if (!typeOnly) return false;
  if (layer === 'sdk') return target.startsWith('src/adapters/http/contract');
  return layer === 'adapters' && target.startsWith('src/sdk/');
}

function layerOf(path: string): string {
  return /^src\/([^/]+)\//.exec(path)?.[1] ?? 'root';
}

/** The text without comments. */
function code(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/^\s*\/\/.*$/gm, '');
}
