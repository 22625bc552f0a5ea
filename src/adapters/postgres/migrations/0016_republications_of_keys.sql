-- How whoever asked for it proved who they are: a republication ends with the key that asked for it. Without: an older
-- version accepted it, and it goes on.
alter table republications add column requested_auth text;
