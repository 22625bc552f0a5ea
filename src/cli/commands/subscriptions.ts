import { Command } from 'commander';
import type { PutSubscriptionRequest, Subscription } from '../../adapters/http/contract/inbound.ts';
import { usageError } from '../cli-error.ts';
import { withExample } from '../example.ts';
import { jsonText, shortText } from '../format.ts';
import type { Output } from '../output.ts';
import { sessionOf } from '../session.ts';
import { json, jsonFile } from '../values.ts';

export function subscriptionCommands(): Command {
  const command = new Command('subscriptions').description('What events of other services cause here');
  for (const part of [list(), show(), put(), remove()]) command.addCommand(part);
  return withExample(command, 'subscriptions list');
}

function list(): Command {
  const command = new Command('list')
    .description('All of them')
    .action(async (_options: object, self: Command) => {
      const { out, client } = sessionOf(self);
      const found = await client.inbound.subscriptions.list();
      await out.result(found, () => (found.length > 0 ? table(out, found) : 'no subscriptions yet'));
    });
  return withExample(command, 'subscriptions list');
}

function table(out: Output, subscriptions: readonly Subscription[]): string {
  const cells = subscriptions.map(({ name, topic, types, tenantId, action, fromFile }) => [
    name,
    topic,
    types?.join(' ') ?? '',
    tenantId ?? '',
    action.kind === 'enqueue' ? `enqueue ${action.type}` : action.kind,
    fromFile ? 'file' : '',
  ]);
  return out.table(['NAME', 'TOPIC', 'TYPES', 'OF TENANT', 'ACTION', 'FROM'], cells);
}

function show(): Command {
  const command = new Command('show')
    .description('One of them, as JSON')
    .argument('<name>')
    .action(async (name: string, _options: object, self: Command) => {
      const { out, client } = sessionOf(self);
      const found = await client.inbound.subscriptions.get(name);
      await out.result(found, () => jsonText(found));
    });
  return withExample(command, 'subscriptions show orders');
}

function put(): Command {
  const command = new Command('put')
    .description('Make or change one; in force within a second or two')
    .argument('<name>')
    .argument('[rule]', 'JSON: topic, types, tenant, dedupeId, action; docs/inbound.md has it all', json)
    .option('--file <file>', 'the rule from a file; - is standard input', jsonFile)
    .action(async (name: string, given: unknown, { file }: { readonly file?: unknown }, self: Command) => {
      const { out, client } = sessionOf(self);
      const rule = given ?? file;
      if (rule === undefined) throw usageError('give the rule as JSON, or --file');
      const written = await client.inbound.subscriptions.put(name, rule as PutSubscriptionRequest);
      const { topic, action } = written;
      await out.result(written, () => shortText(`${name}: ${topic} causes ${action.kind}`, 100));
    });
  return withExample(
    command,
    `subscriptions put orders '{"topic":"order.placed","action":{"kind":"enqueue","type":"order.fulfil"}}'`,
  );
}

function remove(): Command {
  const command = new Command('remove')
    .description('End one')
    .argument('<name>')
    .action(async (name: string, _options: object, self: Command) => {
      const { out, client } = sessionOf(self);
      await client.inbound.subscriptions.remove(name);
      await out.result({ name, removed: true }, () => `${name}  removed`);
    });
  return withExample(command, 'subscriptions remove orders');
}
