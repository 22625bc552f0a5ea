import { z } from 'zod';
import { schemaFile, schemaUrn } from './data-schema.ts';
import { EVENT_SCHEMAS, PUBLIC_EVENT_TYPES, type PublicEventType } from './event-schemas.ts';

export interface SchemaFile {
  readonly name: string;
  readonly text: string;
}

/** JSON Schema 2020-12 of every public event's data, as the files in schemas/ hold it. */
export const schemaFiles = (): readonly SchemaFile[] =>
  PUBLIC_EVENT_TYPES.map((type) => ({
    name: schemaFile(type),
    text: `${JSON.stringify(jsonSchema(type), null, 2)}\n`,
  }));

function jsonSchema(type: PublicEventType): object {
  // As input: readers must put up with fields that later versions add.
  const { $schema, ...schema } = z.toJSONSchema(EVENT_SCHEMAS[type], { io: 'input', override: tidy });
  return { $schema, $id: schemaUrn(type), title: type, ...schema };
}

/** zod writes out what every format and every whole number comes with anyway. */
function tidy({ jsonSchema }: { readonly jsonSchema: z.core.JSONSchema.BaseSchema }): void {
  if (jsonSchema.format !== undefined) delete jsonSchema.pattern;
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
}
