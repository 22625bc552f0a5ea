import type { InboundEvent } from './inbound-event.ts';

/** `$.data.order.id`, `$.data.items[0].sku`, `$['data']['order id']`. */
export const JSON_PATH = /^\$(?:\.[A-Za-z_][\w-]*|\[\d{1,6}\]|\['[^'\\]{1,100}'\]){1,20}$/;

const STEP = /\.([A-Za-z_][\w-]*)|\[(\d+)\]|\['([^']+)'\]/g;

export const isJsonPath = (value: unknown): value is string =>
  typeof value === 'string' && value.startsWith('$');

/** What paths of a rule lead into. Numbers that a double can't hold stay as they were written. */
export function pathRoot(event: InboundEvent): Readonly<Record<string, unknown>> {
  const { eventId, type, source, tenantId, occurredAt, correlationId, data, envelope, message } = event;
  return {
    id: eventId,
    type,
    source,
    tenantId,
    occurredAt,
    correlationId,
    data: parseLossless(data),
    envelope,
    topic: message.topic,
    key: message.key,
    headers: message.headers,
  };
}

/** The value at a path; undefined when there is none. The path must fit JSON_PATH. */
export function valueAt(root: unknown, path: string): unknown {
  let value = root;
  for (const [, name, index, quoted] of path.matchAll(STEP)) {
    if (typeof value !== 'object' || value === null) return undefined;
    const step = name ?? quoted ?? Number(index);
    if (!Object.hasOwn(value, step)) return undefined;
    value = (value as Record<string | number, unknown>)[step];
  }
  return value;
}

/** The template with every string that is a path replaced by what it leads to; members that lead nowhere are left out. */
export function fillTemplate(template: unknown, root: unknown): unknown {
  if (isJsonPath(template)) return valueAt(root, template);
  if (Array.isArray(template)) return template.map((item) => fillTemplate(item, root) ?? null);
  if (typeof template !== 'object' || template === null) return template;
  const members = Object.entries(template).map(([name, part]) => [name, fillTemplate(part, root)]);
  return Object.fromEntries(members.filter(([, value]) => value !== undefined));
}

/** JSON.rawJSON and the source of a value are in Node, but not in TypeScript's library yet. */
const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown };
type Reviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown;

function parseLossless(text: string): unknown {
  const keepDigits: Reviver = (_key, value, { source }) =>
    typeof value === 'number' && source !== undefined && String(value) !== source ? rawJSON(source) : value;
  return JSON.parse(text, keepDigits as (key: string, value: unknown) => unknown);
}
