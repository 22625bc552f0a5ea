import { z } from 'zod';
import type { ApiKeyEvent } from '../domain/api-key/events.ts';
import { type EventDefinitions, eventCodec } from './event-codec.ts';

const terms = { name: z.string(), tenants: z.array(z.string()), role: z.string() };
const reason = z.string().optional();

/** Data of every event of a key as stored; the rules for changes are those of the job events. */
export const apiKeyEventDefinitions: EventDefinitions<ApiKeyEvent> = {
  ApiKeyCreated: { schema: z.object({ ...terms, expiresAt: z.number().optional(), reason }) },
  ApiKeyRotated: {
    schema: z.object({
      ...terms,
      previousUntil: z.number().optional(),
      expiresAt: z.number().optional(),
      reason,
    }),
  },
  ApiKeyRevoked: { schema: z.object({ ...terms, reason }) },
};

export const apiKeyCodec = eventCodec<ApiKeyEvent>(apiKeyEventDefinitions);
