import { z } from 'zod';
import { ROLES, type Role } from './adapters/http/principal.ts';
import type { Step } from './adapters/http/redact-json.ts';
import {
  createRedaction,
  type Redaction,
  type RedactionRules,
  redactionPath,
} from './adapters/http/redaction.ts';
import type { TokenOptions } from './adapters/oidc/options.ts';
import { setting } from './setting.ts';

const isRole = (word: string): word is Role => (ROLES as readonly string[]).includes(word);

const httpUrl = z
  .string()
  .refine(
    (text) => /^https?:$/.test(URL.parse(text)?.protocol ?? ''),
    'must look like https://id.example.com',
  );

const claim = z.string().max(200);

const roles = z.string().transform((text, context): ReadonlyMap<string, Role> => {
  const pairs = text.split(',').map((pair) => pair.trim().split('='));
  const known = pairs.flatMap(([word = '', role = '', ...more]) =>
    word !== '' && isRole(role) && more.length === 0 ? [[word, role] as const] : [],
  );
  if (known.length === pairs.length) return new Map(known);
  context.addIssue(`must look like ops=operator,dev=viewer, with the roles ${ROLES.join(', ')}`);
  return z.NEVER;
});

const redact = z.string().transform((text, context): RedactionRules => {
  const rules: Partial<Record<Role, Redaction>> = {};
  for (const rule of text.split(';')) {
    const [role = '', list = ''] = rule.trim().split(/:(.*)/s);
    const places = list.split(',').map((place) => place.trim());
    const paths = places.filter((place) => place !== 'error').map(redactionPath);
    const good = paths.filter((path): path is readonly Step[] => path !== undefined);
    if (!isRole(role) || rules[role] || good.length < paths.length) {
      context.addIssue('must look like viewer:$.card.number,$.token;producer:error, each role once');
      return z.NEVER;
    }
    rules[role] = createRedaction(good, places.includes('error'));
  }
  return rules;
});

export const ACCESS_SETTINGS = {
  JWT_ISSUER: setting(
    httpUrl.optional(),
    '',
    'Identity provider whose tokens are taken beside API keys, as its tokens name it in `iss`. Not set: API keys only',
  ),
  JWT_AUDIENCE: setting(
    z.string().max(300).optional(),
    '',
    'What tokens must name in `aud`; `JWT_ISSUER` needs it',
  ),
  JWT_JWKS_URL: setting(
    httpUrl.optional(),
    '',
    "Where the provider's public keys are. Not set: where its `/.well-known/openid-configuration` says",
  ),
  JWT_TENANT_CLAIM: setting(
    claim,
    'tenant_id',
    'Claim with the tenant, or a list of them; `*` is all of them',
  ),
  JWT_ROLE_CLAIM: setting(
    claim,
    'role',
    'Claim with the role, or a list of them; may be a path such as `realm_access.roles`',
  ),
  JWT_ROLES: setting(
    roles.optional(),
    '',
    "The provider's words for roles, as `jobs-ops=operator,jobs-dev=viewer`",
  ),
  REDACT: setting(
    redact.optional(),
    '',
    'What roles do not see of payloads, results and errors, as `viewer:$.card.number,$.token;producer:error`; see [security.md](security.md)',
  ),
} as const;

type Schemas = { [Name in keyof typeof ACCESS_SETTINGS]: (typeof ACCESS_SETTINGS)[Name]['schema'] };
type AccessValues = Readonly<z.infer<z.ZodObject<Schemas>>>;

/** What settings that are right by themselves lack together. */
export function accessProblems({ JWT_ISSUER, JWT_AUDIENCE, JWT_JWKS_URL }: AccessValues): readonly string[] {
  if (JWT_ISSUER !== undefined)
    return JWT_AUDIENCE === undefined ? ['JWT_AUDIENCE: JWT_ISSUER needs it'] : [];
  return Object.entries({ JWT_AUDIENCE, JWT_JWKS_URL })
    .filter(([, value]) => value !== undefined)
    .map(([name]) => `${name}: means nothing without JWT_ISSUER`);
}

/** undefined: no identity provider. The settings must have no problems. */
export function tokenOptions(values: AccessValues): TokenOptions | undefined {
  if (values.JWT_ISSUER === undefined || values.JWT_AUDIENCE === undefined) return undefined;
  return {
    issuer: values.JWT_ISSUER,
    audience: values.JWT_AUDIENCE,
    jwksUrl: values.JWT_JWKS_URL,
    tenantClaim: values.JWT_TENANT_CLAIM,
    roleClaim: values.JWT_ROLE_CLAIM,
    roles: values.JWT_ROLES ?? new Map(),
  };
}
