import type {Command} from 'commander';
import {generatePrivateJwk} from '@switchyard/shared/crypto/jws.ts';
import {gitKeyCommands} from './git-key-commands.ts';
import {group, leaf} from './leaf.ts';
import {modelKeyCommands} from './model-key-commands.ts';
import type {Surroundings} from './surroundings.ts';

/** Keys of model providers, which stay on this machine, and those with which a deployed control plane signs. */
export function keysCommands(world: Surroundings): Command {
  const {terminal} = world;
  return group('keys', 'keys of model providers on this machine, and signing keys of a control plane', [
    ...modelKeyCommands(world),
    gitKeyCommands(world),
    leaf(
      {
        name: 'generate',
        summary: 'make the value of SWITCHYARD_SIGNING_KEYS: a JSON list with one new Ed25519 private key',
        examples: [
          'keys generate | npx wrangler secret put SWITCHYARD_SIGNING_KEYS',
          '$ (umask 077; switchyard keys generate > signing-keys.json)',
        ],
      },
      async (_, options) => {
        const key = await generatePrivateJwk();
        terminal.out(JSON.stringify([key]));
        if (options.json !== true) terminal.err(`private key ${key.kid}; kept nowhere, shown once`);
      },
    ),
  ]);
}
