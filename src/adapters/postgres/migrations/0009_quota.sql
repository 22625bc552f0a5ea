-- How full the rate bucket of each tenant is (domain/tenant-quota/rate-bucket.ts). Unlogged: a crash of the database
-- empties the buckets, which costs a tenant's neighbours one burst.
create unlogged table eventzr.rate_buckets (
  tenant_id text primary key,
  -- Jobs in it; it drains at the tenant's rate.
  level double precision not null default 0 check (level >= 0),
  -- Up to when draining is counted, milliseconds since 1970; the database's clock.
  drained_at double precision not null
) with (fillfactor = 50);
