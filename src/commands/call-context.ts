import type { Actor } from '../domain/metadata.ts';

/** Who asks for a use case, and on whose behalf. Comes from the credential, never from a body. */
export interface CallContext {
  readonly tenantId: string;
  readonly actor: Actor;
  readonly correlationId: string;
  readonly traceparent?: string | undefined;
  /** Names the request to the service, where it came as one. */
  readonly requestId?: string | undefined;
}
