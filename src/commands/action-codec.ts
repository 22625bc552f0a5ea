import { z } from 'zod';
import type { ActionTaken } from '../domain/action/events.ts';
import { type EventDefinitions, eventCodec } from './event-codec.ts';

/** Data of noted actions as stored; the rules for changes are those of the job events. */
export const actionEventDefinitions: EventDefinitions<ActionTaken> = {
  ActionTaken: {
    schema: z.object({
      action: z.string(),
      subject: z.string(),
      reason: z.string().optional(),
      details: z.record(z.string(), z.unknown()).optional(),
    }),
  },
};

export const actionCodec = eventCodec<ActionTaken>(actionEventDefinitions);
