import { z } from 'zod';
import type { DedupeKeyEvent } from '../domain/dedupe-key/events.ts';
import { type EventDefinitions, eventCodec } from './event-codec.ts';

/** Data of every dedupe key event as stored; the rules for changes are those of the job events. */
export const dedupeKeyEventDefinitions: EventDefinitions<DedupeKeyEvent> = {
  DedupeKeyTaken: { schema: z.object({ jobId: z.string() }) },
};

export const dedupeKeyCodec = eventCodec<DedupeKeyEvent>(dedupeKeyEventDefinitions);
