import type {Command} from 'commander';
import {apiClient} from '@switchyard/shared/api/client.ts';
import {getPool} from '@switchyard/shared/api/pool-contracts.ts';
import {checkControlPlaneUrl} from '../link/enrol.ts';
import {writeClientFile} from '../services/client-file.ts';
import {flag, leaf} from './leaf.ts';
import {secretInput} from './secret-input.ts';
import type {Surroundings} from './surroundings.ts';

export function loginCommand(world: Surroundings): Command {
  return leaf(
    {
      name: 'login',
      summary: 'keep the URL and the token of a control plane; the token is read from standard input or asked for',
      examples: ['login --url https://switchyard.example.com', 'login --url https://… < token.txt'],
      configure: command => command.option('--allow-insecure', 'also over http to another machine'),
    },
    async (_, options) => {
      const {layout, url} = await world.settings(options);
      checkControlPlaneUrl(url.value, {allowInsecure: flag(options, 'allowInsecure')});
      const token = await secretInput(world, `Token for ${url.value}: `);
      const client = apiClient({url: url.value, token});
      const {pool} = await client.call(getPool, {});
      await writeClientFile(layout.clientFile, {url: client.url, token, pool});
      world.terminal.out(
        options.json === true
          ? JSON.stringify({url: client.url, pool, file: layout.clientFile})
          : `logged in to pool ${pool} at ${client.url}; kept in ${layout.clientFile}`,
      );
    },
  );
}
