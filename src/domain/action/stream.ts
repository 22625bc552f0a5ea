export const ACTION_STREAM_PREFIX = 'action-';

/** `tenantId` is '*' for what concerns all tenants. */
export const actionStream = (tenantId: string): string => `${ACTION_STREAM_PREFIX}${tenantId}`;

export const isActionStream = (stream: string): boolean => stream.startsWith(ACTION_STREAM_PREFIX);
