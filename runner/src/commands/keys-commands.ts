import type {Command} from 'commander';
import {generatePrivateJwk} from '@switchyard/shared/crypto/jws.ts';
import {group, leaf} from './leaf.ts';
import type {Surroundings} from './surroundings.ts';

/** What a deployed control plane signs dispatches with; the embedded one makes its own. */
export function keysCommands({terminal}: Pick<Surroundings, 'terminal'>): Command {
  return group('keys', 'the keys with which a control plane signs what it dispatches', [
    leaf(
      {
        name: 'generate',
        summary: 'make the value of SWITCHYARD_SIGNING_KEYS: a JSON list with one new Ed25519 private key',
        examples: [
          'keys generate | npx wrangler secret put SWITCHYARD_SIGNING_KEYS',
          '(umask 077; switchyard keys generate > signing-keys.json)',
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
