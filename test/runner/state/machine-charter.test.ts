import {mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {expect, onTestFinished, test} from 'vitest';
import type {Rulebook} from '@switchyard/shared/policy/charter/rulebook.ts';
import {findCharter, machineCharter} from '../../../runner/src/agent/machine-charter.ts';
import {rulingOf} from '../../../runner/src/agent/ruling.ts';

const quiet = (): void => undefined;

/** A machine with these charters, each by what it is called; a name leads nowhere where its text is null. */
function machine(files: {readonly beside?: string | null; readonly older?: string | null; readonly named?: string}): {
  stateDirectory: string;
  home: string;
  file: string;
} {
  const root = mkdtempSync(join(tmpdir(), 'charter-'));
  onTestFinished(() => rmSync(root, {recursive: true}));
  const [stateDirectory, home, file] = [join(root, 'state'), join(root, 'home'), join(root, 'named.yaml')] as const;
  mkdirSync(stateDirectory);
  mkdirSync(join(home, 'orchestrator-daemon'), {recursive: true});
  const older = join(home, 'orchestrator-daemon', 'orchestrator-charter.yaml');
  for (const [path, text] of [
    [join(stateDirectory, 'charter.yaml'), files.beside],
    [older, files.older],
    [file, files.named],
  ] as const) {
    if (text === null) symlinkSync(join(root, 'nowhere'), path);
    else if (text !== undefined) writeFileSync(path, text);
  }
  return {stateDirectory, home, file};
}

function unnamed(files: Parameters<typeof machine>[0]): {stateDirectory: string; home: string} {
  const {stateDirectory, home} = machine(files);
  return {stateDirectory, home};
}

const charter = (name: string): string => `name: ${name}\nsafetyHeuristics: {alwaysReject: [rm -rf]}\n`;
const broken = 'name: t\nresponsibilities: []\nsafteyHeuristics: {}\n';

test('[PV21] a machine without a charter starts, one whose charter is broken or gone does not', async () => {
  expect(await machineCharter(unnamed({}), quiet)).toBe(null);
  expect((await machineCharter(unnamed({beside: charter('a')}), quiet))?.book.reject).toHaveLength(1);
  await expect(machineCharter(unnamed({beside: broken}), quiet)).rejects.toThrow('safteyHeuristics');
  await expect(machineCharter(unnamed({beside: null}), quiet)).rejects.toThrow('charter_invalid');
  await expect(machineCharter(unnamed({older: broken}), quiet)).rejects.toThrow('charter_invalid');
});

test('[CA46] the charter of a start holds until the next one, whatever becomes of its file', async () => {
  const choice = unnamed({beside: charter('a')});
  const started = await machineCharter(choice, quiet);
  writeFileSync(join(choice.stateDirectory, 'charter.yaml'), 'name: b\n');
  const call = {tool: 'Bash', input: {command: 'rm -rf x'}};
  const decided = (book: Rulebook | undefined): string | undefined =>
    book === undefined ? undefined : rulingOf(book, call, {workspace: '/w'}).decision;
  expect(decided(started?.book)).toBe('reject');
  expect(decided((await machineCharter(choice, quiet))?.book)).toBe('default');
});

test('[CA22] one charter is in force: the one that is named, else the one of the machine, else that of an older daemon', async () => {
  const all = {beside: charter('b'), older: charter('o'), named: charter('n')};
  const name = async (choice: Parameters<typeof machineCharter>[0]): Promise<string | undefined> =>
    (await machineCharter(choice, quiet))?.charter.name;
  expect(await name(machine(all))).toBe('n');
  const both = unnamed(all);
  expect(await name(both)).toBe('b');
  expect(findCharter(both)).toMatchObject({passedOver: expect.stringContaining('orchestrator-charter.yaml')});
  const older = unnamed({older: charter('o')});
  expect(await name(older)).toBe('o');
  expect(findCharter(older)).toMatchObject({why: 'where older daemons keep it', passedOver: null});
});

test('[CA22] one that is named and not there is never replaced by another', async () => {
  const choice = machine({beside: charter('b')});
  await expect(machineCharter(choice, quiet)).rejects.toThrow(choice.file);
});

test('[CA22] which file is in force, and which is not read, is said at the start', async () => {
  const choice = unnamed({beside: charter('b'), older: charter('o')});
  const said: string[] = [];
  await machineCharter(choice, line => said.push(line));
  expect(said.join('\n')).toContain(`the charter b is in force: ${join(choice.stateDirectory, 'charter.yaml')}`);
  expect(said.join('\n')).toContain('orchestrator-charter.yaml is not read');
});

test('[CA23] a fault is named with its line and the next step, and no charter at all is started only when somebody says so', async () => {
  const choice = unnamed({beside: broken});
  const path = join(choice.stateDirectory, 'charter.yaml');
  await expect(machineCharter(choice, quiet)).rejects.toThrow(
    `line 3: safteyHeuristics is not known. Correct it and try it with "switchyard charter lint ${path}"; --no-charter`,
  );
  const said: string[] = [];
  expect(await machineCharter({...choice, isNone: true}, line => said.push(line))).toBe(null);
  expect(said).toEqual([expect.stringContaining('WARNING')]);
});
