import { PROBLEMS } from './problem-catalogue.ts';

const HEAD = `# Errors

Every error answer is \`application/problem+json\` (RFC 9457):

\`\`\`json
{
  "type": "/problems/validation",
  "title": "Invalid request",
  "status": 400,
  "code": "validation",
  "detail": "/runAt: must be an RFC 3339 time such as 2026-11-21T09:30:00Z",
  "instance": "/v1/jobs",
  "requestId": "019aa5e4-6a4f-7c11-9d3e-0d8a7b1c2e3f",
  "errors": [{ "pointer": "/runAt", "detail": "must be an RFC 3339 time such as 2026-11-21T09:30:00Z" }]
}
\`\`\`

Programs decide by \`code\`; \`title\` and \`detail\` are for people and may change. \`errors\` names every wrong place: JSON
pointers into the body, or the name of a parameter or header. \`requestId\` is also the Request-Id header and is in the
logs. 503, 504 and some 409 and 429 answers say in Retry-After when to come back. A request that ended with one of these
changed nothing, \`log-unavailable\` and \`internal\` apart: repeat those with the same Idempotency-Key.

Made by \`npm run openapi\` from \`src/adapters/http/problem-catalogue.ts\`.

| code | status | meaning |
| --- | --- | --- |
`;

/** docs/errors.md. */
export function problemsMarkdown(): string {
  const rows = Object.entries(PROBLEMS)
    .sort(([, one], [, other]) => one.status - other.status)
    .map(([code, { status, title, meaning }]) => `| \`${code}\` | ${status} | ${title}. ${meaning} |`);
  return `${HEAD}${rows.join('\n')}\n`;
}
