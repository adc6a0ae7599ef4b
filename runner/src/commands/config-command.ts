import type {Command} from 'commander';
import {leaf} from './leaf.ts';
import {redacted, type Setting} from './settings.ts';
import type {Surroundings} from './surroundings.ts';
import {table} from './table.ts';

export function configCommand(world: Surroundings): Command {
  return leaf(
    {
      name: 'config',
      summary: 'the settings in force and where each came from; secrets are not shown',
      examples: ['config', 'config --json', '$ SWITCHYARD_PORT=9000 switchyard config'],
    },
    async (_, options) => {
      const {state, url, token, port, host, slots} = await world.settings(options);
      const shown: Readonly<Record<string, Setting<string | number | null>>> = {
        state,
        url,
        token: {value: token.value === undefined ? null : redacted(token.value), from: token.from},
        port,
        host,
        slots,
      };
      if (options.json === true) return world.terminal.out(JSON.stringify(shown));
      const rows = Object.entries(shown).map(([name, {value, from}]) => [name, String(value ?? '-'), from]);
      for (const line of table(['SETTING', 'VALUE', 'FROM'], rows, world.terminal.columns)) world.terminal.out(line);
    },
  );
}
