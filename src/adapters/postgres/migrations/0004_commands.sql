-- Jobs that are certain to be enqueued but are not in the event log yet: written inside other people's transactions, or
-- by an atomic batch. The relay moves them.
create table eventzr.staged_jobs (
  id bigint generated always as identity primary key,
  tenant_id text not null,
  job_id uuid not null,
  -- The jobs of one call; what they cause in the log carries it.
  command_id uuid not null,
  -- Actor, correlation id and trace of the call.
  context text not null,
  -- The request without its payload, and the payload as its caller wrote it.
  request text not null,
  payload text not null,
  -- The relay leaves the row alone before then.
  due_at timestamptz not null default now(),
  failures int not null default 0
);

create index staged_jobs_command on eventzr.staged_jobs (command_id);

-- Callers hold their transactions open for as long as they like, and rows come and go: vacuum early.
alter table eventzr.staged_jobs set (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);

-- Answers to requests with an Idempotency-Key.
create table eventzr.idempotency_keys (
  tenant_id text not null,
  key text not null,
  fingerprint text not null,
  -- Ids of what the request creates derive from it, so that executing it again meets what it created before.
  seed uuid not null,
  -- Who is executing the request; nobody else may from then until taken_over_at.
  owner uuid not null,
  take_over_at timestamptz not null,
  expires_at timestamptz not null,
  -- The answer, once there is one.
  status smallint,
  headers text,
  body text,
  primary key (tenant_id, key),
  check ((status is null) = (headers is null) and (status is null) = (body is null))
) with (fillfactor = 70);

create index idempotency_keys_expiry on eventzr.idempotency_keys (expires_at);
