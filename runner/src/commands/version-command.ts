import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import type {Command} from 'commander';
import * as z from 'zod';
import {PROTOCOL_VERSION} from '@switchyard/shared/protocol/version.ts';
import {leaf} from './leaf.ts';
import type {Surroundings} from './surroundings.ts';

export function versionOf(repository: string): string {
  return z
    .object({version: z.string()})
    .parse(JSON.parse(readFileSync(join(repository, 'runner/package.json'), 'utf8'))).version;
}

export function versionCommand(world: Surroundings): Command {
  return leaf(
    {name: 'version', summary: 'versions of everything in use', examples: ['version', 'version --json']},
    async (_, options) => {
      const shown = {
        switchyard: versionOf(world.repository),
        protocol: PROTOCOL_VERSION,
        node: process.versions.node,
        platform: `${process.platform}-${process.arch}`,
      };
      if (options.json === true) return world.terminal.out(JSON.stringify(shown));
      for (const [name, value] of Object.entries(shown)) world.terminal.out(`${name.padEnd(12)}${value}`);
    },
  );
}
