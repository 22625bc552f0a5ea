import { PUBLIC_EVENT_TYPES, type PublicEventType } from './event-schemas.ts';

/** A type's `dataschema`: the URI that names the JSON Schema of its data. */
export type DataSchemas = Readonly<Record<PublicEventType, string>>;

/** Name of the type's file in schemas/ and below GET /schemas/. */
export const schemaFile = (type: PublicEventType): string => `${type}.json`;

/** `$id` of the schema: the same wherever the service runs. */
export const schemaUrn = (type: PublicEventType): string => `urn:eventzr-jobs:schema:${type}`;

/** CloudEvents wants an absolute URI. Without a public address of the service it is the schema's URN. */
export function dataSchemas(publicUrl?: string): DataSchemas {
  const uri = (type: PublicEventType): string =>
    publicUrl === undefined ? schemaUrn(type) : `${publicUrl}/schemas/${schemaFile(type)}`;
  return Object.fromEntries(PUBLIC_EVENT_TYPES.map((type) => [type, uri(type)])) as DataSchemas;
}

export const SCHEMA_URNS = dataSchemas();
