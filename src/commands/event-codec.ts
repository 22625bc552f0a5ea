import type { z } from 'zod';
import { asJsonText, type JsonText } from '../domain/json-text.ts';
import type { Codec } from './codec.ts';

/** Fields of events that hold a caller's document. Such a field is stored as the event's content, outside its data. */
export type ContentField = 'payload' | 'result';

interface DomainEvent {
  readonly type: string;
  readonly data: object;
}

/** A version of an event's data that logs still hold but nobody writes any more. */
export interface OlderVersion {
  /** Checks data of this version and makes it the next version's. */
  upcast(data: unknown): object;
}

export const olderVersion = <Data extends object>(
  schema: z.ZodType<Data>,
  upcast: (data: Data) => object,
): OlderVersion => ({ upcast: (data) => upcast(schema.parse(data)) });

export interface EventDefinition<Data extends object> {
  /** Data in the version written now, without the content. */
  readonly schema: z.ZodType<Omit<Data, ContentField>>;
  /** Versions 1, 2, … before it; so the version written now is one more than there are. */
  readonly older?: readonly OlderVersion[];
  readonly content?: {
    readonly field: Extract<keyof Data, ContentField>;
    /** Readers may leave the content out; a field that must not be missing then reads as null. */
    readonly required: boolean;
  };
}

export type EventDefinitions<Event extends DomainEvent> = {
  readonly [Type in Event['type']]: EventDefinition<Extract<Event, { readonly type: Type }>['data']>;
};

/** Stored data that its schema refuses: written by other software, or changed by hand. */
export class CorruptEventError extends Error {
  readonly code = 'corrupt_event';
  constructor(type: string, schemaVersion: number, cause: unknown) {
    super(`${type} v${schemaVersion} in the log does not have the shape it was written with`, { cause });
  }
}

const NULL = asJsonText('null');

/** The codec of an aggregate whose events are defined by a table. decode throws CorruptEventError. */
export function eventCodec<Event extends DomainEvent>(definitions: EventDefinitions<Event>): Codec<Event> {
  const byType = new Map(
    Object.entries<EventDefinition<object>>(definitions).map(([type, definition]) => [
      type,
      compile(type, definition),
    ]),
  );
  return {
    encode(event, metadata) {
      const compiled = byType.get(event.type);
      if (!compiled) throw new Error(`no definition for event ${event.type}`);
      const { schemaVersion, contentField } = compiled;
      const { data, content } = takeOut(event.data, contentField);
      return { type: event.type, schemaVersion, data: JSON.stringify(data), content, metadata };
    },
    decode(stored) {
      const compiled = byType.get(stored.type);
      if (!compiled || stored.schemaVersion > compiled.schemaVersion) return undefined;
      let data = compiled.read(stored.data, stored.schemaVersion);
      const content = stored.content ?? compiled.contentWhenAbsent;
      if (compiled.contentField && content !== undefined)
        data = { ...data, [compiled.contentField]: content };
      // The table's keys and schemas are checked against Event where it is written down.
      return { type: stored.type, data } as unknown as Event;
    },
  };
}

type OpenData = Readonly<Record<string, unknown>>;

interface Compiled {
  readonly schemaVersion: number;
  readonly contentField: ContentField | undefined;
  readonly contentWhenAbsent: JsonText | undefined;
  /** Data without its content. Events with the same text may share it. */
  read(json: string, schemaVersion: number): OpenData;
}

function compile(type: string, definition: EventDefinition<object>): Compiled {
  const {
    schema,
    older = [],
    content,
  } = definition as EventDefinition<object> & {
    readonly content?: { readonly field: ContentField; readonly required: boolean };
  };
  const schemaVersion = older.length + 1;
  /** Neighbours often differ in their streams and contents only: then reading one is enough. */
  let last: { readonly json: string; readonly version: number; readonly data: OpenData } | undefined;
  return {
    schemaVersion,
    contentField: content?.field,
    contentWhenAbsent: content?.required ? NULL : undefined,
    read(json, storedVersion) {
      if (last?.json === json && last.version === storedVersion) return last.data;
      try {
        let data: unknown = JSON.parse(json);
        for (const version of older.slice(storedVersion - 1)) data = version.upcast(data);
        last = { json, version: storedVersion, data: schema.parse(data) as OpenData };
        return last.data;
      } catch (cause) {
        throw new CorruptEventError(type, storedVersion, cause);
      }
    },
  };
}

function takeOut(
  data: object,
  field: ContentField | undefined,
): { readonly data: object; readonly content: JsonText | undefined } {
  if (!field) return { data, content: undefined };
  const { [field]: content, ...rest } = data as Partial<Record<ContentField, JsonText>>;
  return { data: rest, content };
}
