import {parseArgs} from 'node:util';
import {judgeScenario, type Judgement} from './judgement.ts';
import {ourRunner} from './commands.ts';
import type {Scenario} from './scenario.ts';
import {scenarioTable} from './scenario-table.ts';
import {allScenarios} from './scenarios.ts';

/**
 * Judges a runner: `node test/conformance/check.ts [--only id]… [--lanes n] [--list] [-- command of the runner]`. Without
 * a command it judges our own. Exits 0 when the runner did everything it must. docs/conformance.md says the rest.
 */
const usage = 'check.ts [--only <scenario>]… [--lanes <n>] [--list] [-- <program> <argument>…]';
const lanesDefault = 3;
const lanesMax = 16;

const out = (line: string): void => void process.stdout.write(`${line}\n`);

function request(): {scenarios: readonly Scenario[]; command: readonly string[]; lanes: number; isList: boolean} {
  const args = process.argv.slice(2);
  const split = args.indexOf('--');
  const command = split === -1 ? [] : args.slice(split + 1);
  const {values} = parseArgs({
    args: split === -1 ? args : args.slice(0, split),
    options: {
      only: {type: 'string', multiple: true, default: []},
      lanes: {type: 'string', default: String(lanesDefault)},
      list: {type: 'boolean', default: false},
    },
  });
  const unknown = values.only.filter(id => !allScenarios.some(scenario => scenario.id === id));
  if (unknown.length > 0) throw new Error(`no such scenario: ${unknown.join(', ')}`);
  const lanes = Number(values.lanes);
  if (!Number.isInteger(lanes) || lanes < 1 || lanes > lanesMax) throw new Error(`--lanes is 1 to ${lanesMax}`);
  const chosen = allScenarios.filter(({id}) => values.only.length === 0 || values.only.includes(id));
  return {scenarios: chosen, command: command.length === 0 ? ourRunner : command, lanes, isList: values.list};
}

function tell({id, rule, took, fault, evidence}: Judgement): void {
  out(`${fault === undefined ? 'pass' : 'FAIL'}  ${id.padEnd(34)} ${(took / 1_000).toFixed(1).padStart(5)} s`);
  if (fault === undefined) return;
  out(`      must: ${rule}`);
  out(`      but:  ${fault}`);
  for (const line of evidence) out(`      | ${line}`);
}

/** A few at a time: most of a scenario is waiting. */
async function judgeAll(
  scenarios: readonly Scenario[],
  command: readonly string[],
  lanes: number,
): Promise<readonly Judgement[]> {
  const waiting = [...scenarios];
  const done: Judgement[] = [];
  const lane = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const judgement = await judgeScenario(next, command);
      tell(judgement);
      done.push(judgement);
    }
  };
  await Promise.all(Array.from({length: lanes}, lane));
  return done;
}

async function main(): Promise<number> {
  const {scenarios, command, lanes, isList} = request();
  if (isList) {
    out(scenarioTable());
    return 0;
  }
  // A runner that cannot open a session can do nothing else either.
  const [first, ...others] = scenarios;
  if (first === undefined) return 0;
  const opening = await judgeAll([first], command, 1);
  const isOpen = opening.every(({fault}) => fault === undefined);
  const judged = isOpen ? [...opening, ...(await judgeAll(others, command, lanes))] : opening;
  const failed = judged.filter(({fault}) => fault !== undefined);
  out(`\n${judged.length - failed.length} of ${scenarios.length} scenarios passed`);
  for (const {id} of failed) out(`failed: ${id}`);
  if (!isOpen) out(`the others were not tried: ${first.id} must hold first`);
  return failed.length === 0 ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\nusage: ${usage}\n`);
  process.exitCode = 2;
}
