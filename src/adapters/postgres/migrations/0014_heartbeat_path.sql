-- Whether workers could be heard of while nobody swept leases. Unlogged: a crash of PostgreSQL was a time in which they could not.

-- Servers that answer heartbeats.
create unlogged table heartbeat_signs (
  process text collate "C" primary key,
  -- It has signed without a break from here to seen_at.
  since timestamptz not null,
  seen_at timestamptz not null,
  signs bigint not null check (signs > 0)
);

-- When leases were last swept, with whatever grace there was to give given before.
create unlogged table lease_looks (
  one boolean primary key default true check (one),
  looked_at timestamptz not null
);
