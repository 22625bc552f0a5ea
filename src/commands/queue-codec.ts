import { z } from 'zod';
import type { QueueEvent } from '../domain/queue/events.ts';
import { type EventDefinitions, eventCodec } from './event-codec.ts';

/** Data of every queue event as stored; the rules for changes are those of the job events. */
export const queueEventDefinitions: EventDefinitions<QueueEvent> = {
  QueuePaused: {
    schema: z.object({ reason: z.string().optional(), until: z.number().optional() }),
  },
  QueueResumed: {
    schema: z.object({ reason: z.string().optional() }),
  },
  QueueLimitChanged: {
    schema: z.object({ concurrencyLimit: z.number().nullable(), reason: z.string().optional() }),
  },
};

export const queueCodec = eventCodec<QueueEvent>(queueEventDefinitions);
