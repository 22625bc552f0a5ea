/** What a worker shows for an attempt: where it is, which JobStarted it came from, and the secret in that event. */
export interface LeaseToken {
  readonly tenantId: string;
  readonly jobId: string;
  /** Revision of the JobStarted event: the state just after it is known without reading the stream. */
  readonly startRevision: number;
  readonly leaseId: string;
}

const PARTS = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9-]+)\.([0-9]{1,9})\.([A-Za-z0-9_-]+)$/;

/** Opaque to workers. */
export const formatLeaseToken = (token: LeaseToken): string =>
  Buffer.from(`${token.tenantId}.${token.jobId}.${token.startRevision}.${token.leaseId}`).toString(
    'base64url',
  );

/** undefined when the text is not a lease token at all. */
export function parseLeaseToken(text: string): LeaseToken | undefined {
  const parts = PARTS.exec(Buffer.from(text, 'base64url').toString('latin1'));
  if (!parts) return undefined;
  const [, tenantId = '', jobId = '', startRevision = '', leaseId = ''] = parts;
  return { tenantId, jobId, startRevision: Number(startRevision), leaseId };
}
