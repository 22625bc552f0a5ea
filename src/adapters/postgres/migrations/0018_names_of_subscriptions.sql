-- Names of subscriptions are each tenant's own: what one calls its subscriptions neither keeps another from that name nor
-- shows it anything. The platform and a tenant never use the same name at once, as the ledger (processed_events) and the ids
-- of jobs know a subscription by name and tenant of the event. No constraint can say so; who changes subscriptions holds the
-- lock of the table and looks.
--
-- Processes of an older version go on reading subscriptions but can't change them any more: their `on conflict (name)` finds no
-- such key.
alter table subscriptions drop constraint subscriptions_pkey;

-- Empty: the platform. No part of a primary key may be null.
alter table subscriptions
  add column owner text not null generated always as (coalesce(tenant_id, '')) stored,
  add constraint subscriptions_pkey primary key (owner, name);

create index subscriptions_by_name on subscriptions (name);
