import { z } from 'zod';
import type { DedupeKeyEvent } from '../domain/dedupe-key/events.ts';
import { eventCodec } from './event-codec.ts';

export const dedupeKeyCodec = eventCodec<DedupeKeyEvent>({
  DedupeKeyTaken: { schema: z.object({ jobId: z.string() }) },
});
