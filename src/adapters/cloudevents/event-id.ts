import { hash } from 'node:crypto';

/**
 * Public id of an event: `evt-` and a UUID (version 8) computed from its place in its stream, so that it is the same
 * however often the event is sent.
 */
export function eventId(stream: string, revision: number): string {
  const hex = hash('sha256', `${stream}@${revision}`, 'hex');
  const variant = ((Number.parseInt(hex.slice(16, 17), 16) & 0x3) | 0x8).toString(16);
  return `evt-${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
