import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { describeApi } from '../../src/adapters/http/describe-api.ts';
import { problemsMarkdown } from '../../src/adapters/http/problems-markdown.ts';

interface Operation {
  readonly operationId?: string;
  readonly summary?: string;
  readonly tags?: readonly string[];
  readonly requestBody?: {
    readonly content: Readonly<Record<string, { readonly schema: { $ref?: string } }>>;
  };
  readonly responses: Readonly<Record<string, unknown>>;
}

interface Description {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, { readonly examples?: readonly unknown[] }>>;
  };
}

const committed = (path: string): string =>
  readFileSync(new URL(`../../docs/${path}`, import.meta.url), 'utf8');

describe("the API's description", async () => {
  const description = (await describeApi()) as Description;
  const operations = Object.entries(description.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ at: `${method} ${path}`, operation })),
  );

  it('in the documents is what the code says (npm run openapi)', () => {
    expect(JSON.parse(committed('openapi.json'))).toEqual(JSON.parse(JSON.stringify(description)));
    expect(committed('errors.md')).toBe(problemsMarkdown());
  });

  it('names every operation once, with a summary and a tag', () => {
    const ids = operations.map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(operations.length);
    for (const { at, operation } of operations) {
      expect(operation.summary, at).toBeTruthy();
      expect(operation.tags, at).toHaveLength(1);
    }
  });

  it('refers only to schemas that it has, and has none that nothing refers to', () => {
    const text = JSON.stringify(description);
    const referred = new Set(
      Array.from(text.matchAll(/"#\/components\/schemas\/([^"]+)"/g), ([, name]) => name),
    );
    expect([...referred].sort()).toEqual(Object.keys(description.components.schemas).sort());
  });

  it('has an example for every body, and the example fits', () => {
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    ajv.addSchema(JSON.parse(JSON.stringify(description)), 'api');
    for (const { at, operation } of operations) {
      const reference = operation.requestBody?.content['application/json']?.schema.$ref;
      if (!operation.requestBody) continue;
      const name = reference?.split('/').at(-1) ?? '';
      const [example] = description.components.schemas[name]?.examples ?? [];
      expect(example, `${at} ${name}`).toBeDefined();
      const fits = ajv.getSchema(`api#/components/schemas/${name}`)?.(example);
      expect(fits, `${at}: ${JSON.stringify(example)}`).toBe(true);
    }
  });
});
