import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';

interface Description {
  readonly paths: Readonly<
    Record<string, Readonly<Record<string, { readonly responses: Readonly<Record<string, Described>> }>>>
  >;
}

interface Described {
  readonly content?: Readonly<Record<string, { readonly schema: object }>>;
}

const description = JSON.parse(
  readFileSync(new URL('../../docs/openapi.json', import.meta.url), 'utf8'),
) as Description;

const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
ajv.addSchema(description, 'api');

const pointerPart = (part: string): string => part.replaceAll('~', '~0').replaceAll('/', '~1');

/** Fails when an answer is not one that docs/openapi.json describes for its request. */
export function assertAsDescribed(method: string, url: string, response: Response, body: unknown): void {
  const path = pathOf(url.split('?', 1)[0] ?? '');
  const operation = path === undefined ? undefined : description.paths[path]?.[method.toLowerCase()];
  if (path === undefined || !operation) throw new Error(`${method} ${url} is not described`);
  const what = `${response.status} of ${method} ${path}`;
  const described = operation.responses[response.status];
  if (!described) throw new Error(`${what} is not described: ${JSON.stringify(body)}`);
  if (!described.content) {
    if (body !== undefined) throw new Error(`${what} is described as empty`);
    return;
  }
  const type = response.headers.get('content-type')?.split(';', 1)[0] ?? '';
  if (!described.content[type]) throw new Error(`${what} is not described as ${type}`);
  const place = [
    'paths',
    path,
    method.toLowerCase(),
    'responses',
    String(response.status),
    'content',
    type,
    'schema',
  ];
  const validate = ajv.getSchema(`api#/${place.map(pointerPart).join('/')}`);
  if (!validate) throw new Error(`${what} has no schema`);
  if (!validate(body)) throw new Error(`${what} is not as described: ${ajv.errorsText(validate.errors)}`);
}

/** The described path that a URL's path fits; one without parameters wins. */
function pathOf(path: string): string | undefined {
  return Object.keys(description.paths)
    .sort((one, other) => one.split('{').length - other.split('{').length)
    .find((candidate) => new RegExp(`^${candidate.replaceAll(/\{[^}]+\}/g, '[^/]+')}$`).test(path));
}
