interface WithSchemas {
  components?: { schemas?: Record<string, unknown> };
}

const REFERENCE = '#/components/schemas/';

/**
 * Each zod schema comes once as what is sent (`…Input`) and once as what is answered. Drops those that nothing refers
 * to, and the suffix where only one is left or both are the same.
 */
export function tidyComponents<Document extends object>(document: Document): Document {
  const { components, ...rest } = document as Document & WithSchemas;
  const schemas = components?.schemas ?? {};
  const names = reachable(rest, schemas);
  const renamed = new Map<string, string>();
  for (const name of names) {
    const plain = name.replace(/Input$/, '');
    const free = !names.has(plain) || same(schemas[plain], schemas[name]);
    if (free) renamed.set(name, plain);
  }
  const kept = Object.fromEntries(
    [...names].sort().map((name) => [renamed.get(name) ?? name, schemas[name]]),
  );
  return rename({ ...document, components: { ...components, schemas: kept } }, renamed);
}

function reachable(document: object, schemas: Readonly<Record<string, unknown>>): ReadonlySet<string> {
  const found = new Set<string>();
  const open = referencesIn(document);
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (found.has(name)) continue;
    found.add(name);
    open.push(...referencesIn(schemas[name]));
  }
  return found;
}

const referencesIn = (part: unknown): string[] =>
  Array.from(
    JSON.stringify(part ?? null).matchAll(/"#\/components\/schemas\/([^"]+)"/g),
    ([, name]) => name ?? '',
  );

const same = (one: unknown, other: unknown): boolean =>
  JSON.stringify(one).replaceAll('Input"', '"') === JSON.stringify(other).replaceAll('Input"', '"');

function rename<Document extends object>(document: Document, names: ReadonlyMap<string, string>): Document {
  const text = JSON.stringify(document).replaceAll(
    /"#\/components\/schemas\/([^"]+)"/g,
    (whole, name: string) => {
      const plain = names.get(name);
      return plain === undefined ? whole : JSON.stringify(`${REFERENCE}${plain}`);
    },
  );
  return JSON.parse(text) as Document;
}
