import type {Command} from 'commander';
import type * as z from 'zod';
import {scopes} from '@switchyard/shared/api/contract.ts';
import {createCredential, listCredentials, revokeCredential} from '@switchyard/shared/api/pool-contracts.ts';
import {group, leaf, text} from './leaf.ts';
import {ownCommand} from './own-command.ts';
import type {CommonOptions, Surroundings} from './surroundings.ts';
import {table} from './table.ts';
import {duration} from './units.ts';
import {UsageError} from './usage-error.ts';

type Options = CommonOptions & Readonly<Record<string, unknown>>;
type Asked = z.input<NonNullable<typeof createCredential.body>>;
type Made = z.output<(typeof createCredential.responses)[201]>;

const nameCharactersMax = 100;
const publicKeyHex = /^[0-9a-f]{64}$/;
const credentialId = /^[0-9a-z]{8,32}$/;

export function tokenCommands(world: Surroundings): Command {
  return group('token', 'API tokens and signing keys of the pool', [create(world), list(world), revoke(world)]);
}

function create(world: Surroundings): Command {
  return leaf(
    {
      name: 'create <name>',
      summary: 'make an API token or register a key that signs requests; what is secret is printed once',
      examples: [
        'token create ci --scope write',
        '$ TOKEN=$(switchyard token create curl)',
        'token create github-actions --kind hmac --json',
        'token create laptop --kind ed25519 --public-key 3d4017c3…',
      ],
      configure: command =>
        command
          .option('--kind <kind>', 'token; hmac or ed25519 for signed requests', 'token')
          .option('--scope <scope>', 'of a token: read, write or admin (write)')
          .option('--public-key <hex>', 'of ed25519: 32 bytes'),
    },
    async ([name = ''], options) => {
      const asked = askedOf(name, options);
      const made = await (await world.client(options)).call(createCredential, {body: asked});
      if (options.json === true) return world.terminal.out(JSON.stringify(made));
      world.terminal.out(made.secret ?? made.credential);
      const {state} = await world.settings(options);
      const undo = ownCommand(world, state)(`token revoke ${made.id}`);
      for (const line of [...explanation(asked, made), `  ${undo}  ends it`]) world.terminal.err(line);
    },
  );
}

/** Throws `UsageError` that names the option. */
function askedOf(name: string, options: Options): Asked {
  const kind = text(options, 'kind') ?? 'token';
  const scope = text(options, 'scope');
  const key = text(options, 'publicKey');
  if (name === '' || name.length > nameCharactersMax)
    throw new UsageError(`the name of a token has 1 to ${nameCharactersMax} characters`);
  if (kind !== 'token' && scope !== undefined) throw new UsageError('--scope is for tokens: a signing key may write');
  if (kind !== 'ed25519' && key !== undefined) throw new UsageError('--public-key needs --kind ed25519');
  switch (kind) {
    case 'token':
      return {kind, name, scope: scopeOf(scope ?? 'write')};
    case 'hmac':
      return {kind, name};
    case 'ed25519':
      return {kind, name, public_key_hex: publicKeyOf(key)};
    default:
      throw new UsageError(`--kind is ${JSON.stringify(kind)}, expected token, hmac or ed25519`);
  }
}

function publicKeyOf(given: string | undefined): string {
  if (given === undefined || !publicKeyHex.test(given))
    throw new UsageError('--kind ed25519 needs --public-key: 32 bytes in lower-case hex');
  return given;
}

function scopeOf(given: string): (typeof scopes)[number] {
  const scope = scopes.find(each => each === given);
  if (scope === undefined) throw new UsageError(`--scope is ${JSON.stringify(given)}, expected ${scopes.join(', ')}`);
  return scope;
}

function explanation(asked: Asked, {id, credential}: Made): readonly string[] {
  switch (asked.kind) {
    case 'token':
      return [
        `token ${id} of scope ${asked.scope ?? 'write'}, shown once: use it as authorization: Bearer, or SWITCHYARD_TOKEN`,
      ];
    case 'hmac':
      return [`secret of key ${id}, shown once; requests name the key in webhook-key-id:`, `  ${credential}`];
    case 'ed25519':
      return [`id of key ${id}; requests name it in webhook-key-id`];
  }
}

function list(world: Surroundings): Command {
  return leaf(
    {
      name: 'list',
      summary: 'tokens and signing keys that are valid; never their secrets',
      aliases: ['ls'],
      examples: ['token list', 'token list --json | jq -r ".credentials[].id"'],
    },
    async (_, options) => {
      const {credentials} = await (await world.client(options)).call(listCredentials, {});
      if (options.json === true) return world.terminal.out(JSON.stringify({credentials}));
      const rows = credentials
        .toSorted((left, right) => left.created_ms - right.created_ms)
        .map(({id, kind, scope, created_ms: createdMs, name}) => [
          id,
          kind,
          scope,
          duration(Math.max(0, world.nowMs() - createdMs)),
          name,
        ]);
      for (const line of table(['ID', 'KIND', 'SCOPE', 'AGE', 'NAME'], rows, world.terminal.columns))
        world.terminal.out(line);
    },
  );
}

function revoke(world: Surroundings): Command {
  return leaf(
    {
      name: 'revoke <id>',
      summary: 'end a token or a signing key at once, by its id',
      examples: ['token revoke 0123456789abcdef', 'token revoke 0123456789abcdef --json'],
    },
    async ([id = ''], options) => {
      // Not shown: it may be a token.
      if (!credentialId.test(id))
        throw new UsageError(
          'that is not the id of a token: switchyard token list shows ids, never type a token itself',
        );
      const revoked = await (await world.client(options)).call(revokeCredential, {params: {id}});
      world.terminal.out(options.json === true ? JSON.stringify(revoked) : `${revoked.id} is revoked`);
    },
  );
}
