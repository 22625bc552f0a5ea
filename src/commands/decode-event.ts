import { isActionStream } from '../domain/action/stream.ts';
import { parseApiKeyStream } from '../domain/api-key/stream.ts';
import { parseJobStream } from '../domain/job/stream.ts';
import { parseQueueStream } from '../domain/queue/stream.ts';
import { parseQuotaStream } from '../domain/tenant-quota/stream.ts';
import { actionCodec } from './action-codec.ts';
import { apiKeyCodec } from './api-key-codec.ts';
import type { DecodedEvent } from './decoded-event.ts';
import { jobCodec } from './job-codec.ts';
import type { StoredEvent } from './ports.ts';
import { queueCodec } from './queue-codec.ts';
import { tenantQuotaCodec } from './tenant-quota-codec.ts';

/**
 * What a log entry means; undefined for streams of other aggregates and for events newer than this software. Throws
 * CorruptEventError when the data is not what such an event holds.
 */
export function decodeEvent(stored: StoredEvent): DecodedEvent | undefined {
  const { stream, revision, position, recordedAt, metadata } = stored;
  const job = parseJobStream(stream);
  if (job) {
    const event = jobCodec.decode(stored);
    if (!event) return undefined;
    const { tenantId, jobId } = job;
    return { aggregate: 'job', tenantId, jobId, event, stream, revision, position, recordedAt, metadata };
  }
  const lane = parseQueueStream(stream);
  if (lane) {
    const event = queueCodec.decode(stored);
    if (!event) return undefined;
    const { tenantId, queue } = lane;
    return { aggregate: 'queue', tenantId, queue, event, stream, revision, position, recordedAt, metadata };
  }
  const tenantId = parseQuotaStream(stream);
  if (tenantId) {
    const event = tenantQuotaCodec.decode(stored);
    if (!event) return undefined;
    return { aggregate: 'tenant_quota', tenantId, event, stream, revision, position, recordedAt, metadata };
  }
  return decodeAccess(stored);
}

/** What people do to the service itself. */
function decodeAccess(stored: StoredEvent): DecodedEvent | undefined {
  const { stream, revision, position, recordedAt, metadata } = stored;
  const recorded = { tenantId: metadata.tenantId, stream, revision, position, recordedAt, metadata };
  const keyId = parseApiKeyStream(stream);
  if (keyId) {
    const event = apiKeyCodec.decode(stored);
    return event && { aggregate: 'api_key', keyId, event, ...recorded };
  }
  if (!isActionStream(stream)) return undefined;
  const event = actionCodec.decode(stored);
  return event && { aggregate: 'action', event, ...recorded };
}
