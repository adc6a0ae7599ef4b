import type {Command} from 'commander';
import {KeyStore} from '../secrets/key-store.ts';
import {checkMachine, type Finding} from '../services/machine-check.ts';
import {leaf} from './leaf.ts';
import type {Surroundings} from './surroundings.ts';
import type {Terminal} from './terminal.ts';

export function doctorCommand(world: Surroundings): Command {
  return leaf(
    {
      name: 'doctor',
      summary: 'try everything that a runner needs, and say how to mend what is missing; exit 1 when something fails',
      examples: ['doctor', 'doctor --json | jq ".findings[] | select(.level != \\"ok\\")"'],
    },
    async (_, options) => {
      const {terminal, env, home, nowMs, randomHex} = world;
      const {layout, url} = await world.settings(options);
      const progress = options.json === true ? undefined : terminal.progress('Trying each part');
      const {platform} = process;
      const keys = new KeyStore({directory: layout.runnerDirectory, env, platform, nowMs, randomHex});
      const at = {layout, home, url: url.value, path: env['PATH'], platform};
      const check = {...at, nowMs, keys, machine: world.machine()};
      const findings = await checkMachine(check).finally(() => progress?.end());
      const isGood = findings.every(({level}) => level !== 'fail');
      if (options.json === true) terminal.out(JSON.stringify({ok: isGood, findings}));
      else for (const line of findings.flatMap(finding => findingLines(finding, terminal))) terminal.out(line);
      return isGood ? 0 : 1;
    },
  );
}

const colours = {ok: 'green', warn: 'yellow', fail: 'red'} as const;

function findingLines({name, level, detail, fix}: Finding, {paint}: Terminal): readonly string[] {
  const line = `${paint(colours[level], level.padEnd(5))} ${name.padEnd(14)} ${detail}`;
  return fix === null ? [line] : [line, `${' '.repeat(21)}${paint('dim', fix)}`];
}
