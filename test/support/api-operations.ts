import { readFileSync } from 'node:fs';

/** An operation of the committed API description. */
export interface ApiOperation {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  /** What the description says it wants; absent: no credential. */
  readonly permission: string | undefined;
  /** Names of what stands in the path. */
  readonly parameters: readonly string[];
  /** An example of its body. */
  readonly body: unknown;
}

interface Description {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Described>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, { readonly examples?: readonly unknown[] }>>;
  };
}

interface Described {
  readonly operationId: string;
  readonly 'x-permission'?: string;
  readonly requestBody?: {
    readonly content: Readonly<Record<string, { readonly schema: { readonly $ref?: string } }>>;
  };
}

/** All operations that docs/openapi.json describes. */
export function apiOperations(): readonly ApiOperation[] {
  const file = new URL('../../docs/openapi.json', import.meta.url);
  const { paths, components } = JSON.parse(readFileSync(file, 'utf8')) as Description;
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      id: operation.operationId,
      method: method.toUpperCase(),
      path,
      permission: operation['x-permission'],
      parameters: Array.from(path.matchAll(/\{(\w+)\}/g), ([, name = '']) => name),
      body: exampleOf(operation, components.schemas),
    })),
  );
}

function exampleOf({ requestBody }: Described, schemas: Description['components']['schemas']): unknown {
  const reference = requestBody?.content['application/json']?.schema.$ref;
  return reference === undefined ? undefined : schemas[reference.split('/').at(-1) ?? '']?.examples?.[0];
}
