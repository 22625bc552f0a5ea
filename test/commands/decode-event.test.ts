import { describe, expect, it } from 'vitest';
import { decodeEvent } from '../../src/commands/decode-event.ts';
import { jobCodec } from '../../src/commands/job-codec.ts';
import type { StoredEvent } from '../../src/commands/ports.ts';
import { queueCodec } from '../../src/commands/queue-codec.ts';
import { tenantQuotaCodec } from '../../src/commands/tenant-quota-codec.ts';
import { jobStream } from '../../src/domain/job/stream.ts';
import type { EventMetadata } from '../../src/domain/metadata.ts';
import { queueStream } from '../../src/domain/queue/stream.ts';
import { unheardOf } from '../../src/domain/tenant-quota/evolve.ts';
import { quotaStream } from '../../src/domain/tenant-quota/stream.ts';
import { started } from '../support/job-events.ts';

const metadata: EventMetadata = {
  tenantId: 'acme',
  actor: { id: 'k1', auth: 'api_key' },
  correlationId: 'c1',
  causationId: 'c2',
  occurredAt: 1000,
};
const place = { revision: 4, position: 77n, recordedAt: 1001 } as const;
const jobId = '01890a5d-ac96-774b-bcce-b302099a8057';

const inJobStream: StoredEvent = {
  ...jobCodec.encode(started(), metadata),
  ...place,
  stream: jobStream('acme', jobId),
};

describe('a log entry', () => {
  it('of a job says whose job it is and what happened', () => {
    expect(decodeEvent(inJobStream)).toEqual({
      aggregate: 'job',
      tenantId: 'acme',
      jobId,
      event: started(),
      stream: inJobStream.stream,
      metadata,
      ...place,
    });
  });

  it('of a queue whose name has dots keeps the name', () => {
    const resumed = { type: 'QueueResumed', data: {} } as const;
    const stream = queueStream('acme', 'mail.bulk.eu');
    const stored = { ...queueCodec.encode(resumed, metadata), ...place, stream };
    expect(decodeEvent(stored)).toMatchObject({ aggregate: 'queue', queue: 'mail.bulk.eu', event: resumed });
  });

  it('of a quota says whose it is', () => {
    const resumed = {
      type: 'TenantResumed',
      data: { after: { ...unheardOf(1000), unfinished: 3, settledThrough: '9007199254740993' } },
    } as const;
    const stored = { ...tenantQuotaCodec.encode(resumed, metadata), ...place, stream: quotaStream('acme') };
    expect(decodeEvent(stored)).toMatchObject({
      aggregate: 'tenant_quota',
      tenantId: 'acme',
      event: resumed,
    });
  });

  it.each([
    ['of another aggregate', { stream: 'invoice-acme' }],
    ['of a quota event in a job stream', { type: 'QuotaReset' }],
    ['of an unknown type', { type: 'JobTeleported' }],
    ['of a version yet to come', { schemaVersion: 99 }],
    ['of a queue event in a job stream', { type: 'QueuePaused' }],
  ])('%s is not understood', (_name, difference) => {
    expect(decodeEvent({ ...inJobStream, ...difference })).toBeUndefined();
  });
});
