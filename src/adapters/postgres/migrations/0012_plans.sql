-- Named terms that tenants are held to. The events of a tenant carry the terms that apply to it; a plan that changes is
-- given to its tenants in the background, one event each.
create table plans (
  name text primary key,
  -- limits, onExceed, weight
  terms jsonb not null,
  revision int not null default 0,
  -- Kept in a file, which is read at every start: not to be changed otherwise.
  from_file boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  updated_by text not null,
  reason text,
  -- All tenants have been given the terms of this revision; -1: not one.
  applied_revision int not null default -1,
  -- Cursor of the list of its tenants behind the last page that was given the terms of `revision`; null: none yet.
  applied_up_to text,
  constraint applied_is_known check (applied_revision between -1 and revision)
);

-- What events of other services decided last about a tenant: an event that happened before it comes too late. Written in
-- the transaction that has the effect.
create table tenant_decisions (
  tenant_id text not null,
  -- existence, terms, suspension
  about text not null,
  occurred_at timestamptz not null,
  -- Names the event among those of the same time.
  identity text not null,
  primary key (tenant_id, about)
);
