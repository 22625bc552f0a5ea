-- A rotated key has two secrets for a while. The revision is that of the key's last event that the row has: -1 for keys
-- from before keys had events.
alter table api_keys
  add column previous_hash bytea,
  add column previous_until timestamptz,
  add column revision int not null default -1,
  add constraint previous_hash_is_sha256 check (octet_length(previous_hash) = 32),
  add constraint previous_secret_ends check ((previous_hash is null) = (previous_until is null));

create index api_keys_of_tenants on api_keys using gin (tenants);
