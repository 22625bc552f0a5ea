import { isDeepStrictEqual } from 'node:util';

/** A JSON Schema, or a part of one. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** Words for people: they promise nothing that a program could rely on. */
const ANNOTATIONS = new Set(['title', 'description', 'examples', '$comment', 'deprecated']);

/**
 * What readers of the released schema, and events written under it, do not get along with; one sentence each. Fields may
 * come in as optional ones and enums may gain words; everything else that is promised stays as it is.
 */
export function breakingChanges(released: JsonSchema, current: JsonSchema, at = 'data'): readonly string[] {
  const keywords = new Set([...Object.keys(released), ...Object.keys(current)]);
  return [...keywords]
    .filter((keyword) => !ANNOTATIONS.has(keyword))
    .flatMap((keyword) => changesOf(keyword, released, current, at));
}

function changesOf(
  keyword: string,
  released: JsonSchema,
  current: JsonSchema,
  at: string,
): readonly string[] {
  const [before, after] = [released[keyword], current[keyword]];
  if (isDeepStrictEqual(before, after)) return [];
  switch (keyword) {
    case 'properties':
      return propertyChanges(schemasIn(before), schemasIn(after), at);
    case 'required':
      return requirementChanges(wordsIn(before), wordsIn(after), at);
    case 'enum':
      return before === undefined || after === undefined
        ? [`${at} is an enum in one of the versions only`]
        : wordsIn(before)
            .filter((word) => !wordsIn(after).includes(word))
            .map((word) => `${at} can no longer be ${JSON.stringify(word)}`);
    case 'items':
      if (isSchema(before) && isSchema(after)) return breakingChanges(before, after, `${at}[]`);
      break;
    default:
  }
  return [`${at} changed its ${keyword} from ${JSON.stringify(before)} to ${JSON.stringify(after)}`];
}

function propertyChanges(
  before: Readonly<Record<string, JsonSchema>>,
  after: Readonly<Record<string, JsonSchema>>,
  at: string,
): readonly string[] {
  return Object.entries(before).flatMap(([name, schema]) => {
    const now = after[name];
    return now ? breakingChanges(schema, now, `${at}.${name}`) : [`${at}.${name} is gone`];
  });
}

/** Old events lack what became required; old readers miss what became optional. */
function requirementChanges(
  before: readonly unknown[],
  after: readonly unknown[],
  at: string,
): readonly string[] {
  return [
    ...after.filter((name) => !before.includes(name)).map((name) => `${at}.${name} is now required`),
    ...before.filter((name) => !after.includes(name)).map((name) => `${at}.${name} is no longer required`),
  ];
}

const isSchema = (value: unknown): value is JsonSchema =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const schemasIn = (value: unknown): Readonly<Record<string, JsonSchema>> =>
  isSchema(value) ? (value as Readonly<Record<string, JsonSchema>>) : {};

const wordsIn = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
