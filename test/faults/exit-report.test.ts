import {existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync} from 'node:fs';
import {delimiter, dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {expect, onTestFinished, test} from 'vitest';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {runDirectoryOf} from '../../runner/src/attempt/attempt-paths.ts';
import {fileVault} from '../../runner/src/secrets/file-vault.ts';
import {modelKeys} from '../../runner/src/secrets/model-keys.ts';
import {Bed, patientLease, type RunnerProcess} from '../fixtures/installation.ts';
import {ModelApi} from '../fixtures/model-api/model-api.ts';
import {until} from '../fixtures/until.ts';

const stub = fileURLToPath(new URL('../fixtures/agents/acp-stub.mjs', import.meta.url));
const patientMs = 120_000;
/** Longer than any of these tests: no lease runs out in them. */
const lease = {...patientLease, ttl_ms: 600_000};

async function startBed(): Promise<Bed> {
  const bed = await Bed.start({lease});
  onTestFinished(async () => bed.stop());
  return bed;
}

/** A runner lets go of the files of an attempt when its exit is acknowledged. */
async function lettingGo({stateDirectory}: RunnerProcess, task: string): Promise<void> {
  const runs = dirname(runDirectoryOf(stateDirectory, {task, epoch: 1}));
  await until('nothing is held', () => !existsSync(runs) || readdirSync(runs).length === 0, patientMs);
}

test('[EE42] an agent whose outcome is as long as it may be is reported with all of it', async () => {
  const bed = await startBed();
  const api = await ModelApi.start({});
  onTestFinished(async () => api.close());
  const directory = join(bed.folder, 'runner', 'runner');
  mkdirSync(directory, {recursive: true, mode: 0o700});
  writeFileSync(join(directory, 'policy.json'), JSON.stringify({version: 1, environment: {allow: ['STUB_*']}}));
  await modelKeys(fileVault(directory, ''), directory).set('google', 'sk-google', api.url);
  const programs = join(bed.folder, 'programs');
  mkdirSync(programs);
  symlinkSync(stub, join(programs, 'gemini'));
  const finding = {severity: 'low', category: 'bug', title: 'One of many', description: 'd'.repeat(15_000)};
  const outcome = {
    event: 'audit.completed',
    summary: 'Four of them.',
    findings: Array.from({length: 4}, () => finding),
  };
  expect(JSON.stringify(outcome).length).toBeLessThan(limits.outcomeBytesMax);
  const said = join(bed.folder, 'said');
  writeFileSync(said, `Done.\n\`\`\`json\n${JSON.stringify(outcome)}\n\`\`\`\n`);
  const runner = await bed.runner('runner', {
    env: {
      PATH: [programs, process.env['PATH'] ?? ''].join(delimiter),
      STUB_STEPS: JSON.stringify([`cat ${said}`]),
      STUB_PROMPTS: join(bed.folder, 'prompts'),
    },
  });
  const {id} = await bed.submit({prompt: 'look', agent: {type: 'auditor', driver: 'gemini'}, attempts_max: 1});
  const task = await bed.finished(id, patientMs);
  expect(task, await bed.log(id)).toMatchObject({state: 'succeeded', epoch: 1});
  expect(task.result?.role?.outcome).toEqual(outcome);
  await lettingGo(runner, id);
});

const agents = 6;

test.for([
  ['is killed', async (bed: Bed) => bed.killPlane()],
  ['hangs', async (bed: Bed) => bed.signalPlane('SIGSTOP')],
] as const)(
  '[EE43] exits that are on their way when the control plane %s are all acknowledged when it is back',
  async ([how, strike]) => {
    const bed = await startBed();
    const runner = await bed.runner('runner', {slots: agents});
    const [leave, ends] = [join(bed.folder, 'leave'), join(bed.folder, 'ends')];
    mkdirSync(ends);
    const script = `until [ -e ${leave} ]; do sleep 0.1; done; : >${ends}/$SWITCHYARD_TASK`;
    const spec = {prompt: 'go', agent: {driver: 'exec' as const, command: ['/bin/sh', '-c', script]}};
    const ids = [];
    for (let each = 0; each < agents; each += 1) ids.push((await bed.submit(spec)).id);
    for (const id of ids) await bed.until(id, 'running', ({phase}) => phase === 'running', patientMs);
    writeFileSync(leave, '');
    await until('some have ended', () => readdirSync(ends).length > 0, patientMs);
    await strike(bed);
    await until('all have ended', () => readdirSync(ends).length === agents, patientMs);
    await until('the runner has noticed', () => runner.lines().some(line => line.includes('disconnected')), patientMs);
    if (how === 'hangs') bed.signalPlane('SIGCONT');
    else await bed.startPlane();
    for (const id of ids) expect(await bed.finished(id, patientMs)).toMatchObject({state: 'succeeded', epoch: 1});
    for (const id of ids) await lettingGo(runner, id);
  },
);
