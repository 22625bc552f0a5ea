-- When jobs of several tenants were lined up last: processes that do not line jobs up enqueue bulks more slowly then. A
-- hint, so it may be lost in a crash.
create unlogged table activity_sign (
  only_row boolean primary key default true check (only_row),
  told_at timestamptz not null
);
