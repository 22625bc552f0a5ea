-- Credentials. Only hashes are kept: a key is shown once, when it is made. The secret has 256 random bits, so a plain
-- SHA-256 is enough and checking it stays cheap.
create table api_keys (
  key_id text primary key,
  secret_hash bytea not null,
  name text not null,
  -- '*' alone: every tenant, for workers of the platform.
  tenants text[] not null,
  role text not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  revoked_at timestamptz,
  last_used_at timestamptz,
  constraint key_id_is_short check (key_id ~ '^[a-z0-9]{12}$'),
  constraint secret_hash_is_sha256 check (octet_length(secret_hash) = 32),
  constraint name_is_given check (char_length(name) between 1 and 100),
  constraint tenants_are_given check (cardinality(tenants) between 1 and 100),
  constraint role_is_known check (role in ('producer', 'worker', 'viewer', 'operator', 'admin'))
);

-- One action on many jobs. The row is the work order: whoever holds its lease goes on from the cursor, so an accepted
-- operation survives the process that accepted it.
create table operations (
  operation_id uuid primary key,
  tenant_id text not null,
  action text not null,
  -- The request as it was accepted, and who made it.
  request text not null,
  caller text not null,
  status text not null default 'running',
  cursor text,
  seen int not null default 0,
  changed int not null default 0,
  refused int not null default 0,
  error text,
  started_at timestamptz not null default now(),
  finished_at timestamptz,
  leased_until timestamptz not null default '-infinity',
  constraint action_is_known check (action in ('cancel', 'retry', 'replay', 'purge')),
  constraint status_is_known check (status in ('running', 'done', 'aborted', 'failed')),
  constraint finished_or_running check ((status = 'running') = (finished_at is null))
);

create index operations_of_tenant on operations (tenant_id, started_at desc, operation_id desc);
create index operations_running on operations (leased_until) where status = 'running';
