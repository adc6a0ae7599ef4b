import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect, test} from 'vitest';
import {judge, type Judgement} from '@switchyard/shared/policy/charter/judge.ts';
import {bareDisk, judgeCommand, rulebook} from './charter-scene.ts';

/**
 * What an agent may try that wants what its charter rejects, by what it wants. Every line of a list is a command behind
 * what must become of it: `reject`, where the reader sees through it, or `asked`, where it may be what is rejected.
 */
const wanted: Readonly<Record<string, readonly unknown[]>> = {
  'reading-secrets': ['Access secrets or credentials', {read: ['secret/**'], name: 'secret'}],
  'force-push': ['Force push to main'],
  'push-to-main': ['Push to main'],
  deletion: ['rm -rf /', {delete: ['keep/**'], name: 'keep'}],
  discarding: ['Delete files', 'Discard uncommitted changes', 'Rewrite git history', 'Delete branches'],
  'pipelines-and-outside': ['Modify CI/CD', 'Write or delete files outside the workspace'],
  network: ['Network access'],
  privileges: ['Use sudo', 'Stop or restart services', 'Change permissions'],
  releases: [
    ...['Publish packages', 'Production deployments', 'Install packages'],
    ...['Database migrations', 'Merge pull requests'],
  ],
};

type Attack = {readonly verdict: string; readonly command: string};

const attacks = Object.keys(wanted).map(list => ({list, commands: commandsOf(list)}));

function commandsOf(list: string): readonly Attack[] {
  const text = readFileSync(join(import.meta.dirname, 'attacks', `${list}.txt`), 'utf8');
  return text
    .trimEnd()
    .split('\n')
    .map(line => ({verdict: line.slice(0, 6).trim(), command: line.slice(7)}));
}

test.for(attacks)('[CA42] no attack on what is rejected is let through: $list', ({list, commands}) => {
  const book = rulebook({alwaysReject: wanted[list] ?? []});
  const decisions: Readonly<Record<string, Judgement['decision']>> = {reject: 'reject', asked: 'escalate'};
  const judged = commands.map(({verdict, command}) => ({
    command,
    expected: decisions[verdict],
    decision: judgeCommand(book, command).decision,
  }));
  expect(judged.filter(({expected, decision}) => expected !== decision)).toEqual([]);
});

test('[CA42] the lists hold well over a thousand attacks, each once', () => {
  for (const {list, commands} of attacks)
    expect(new Set(commands.map(({command}) => command)).size, list).toBe(commands.length);
  expect(attacks.flatMap(({commands}) => commands).length).toBeGreaterThan(1_900);
});

test('[CA43] usual commands of an agent are not asked about, whatever its charter rejects', () => {
  const book = rulebook({alwaysReject: [...new Set(Object.values(wanted).flat())].filter(entry => !isUsual(entry))});
  const judged = commandsOf('usual').map(({command}) => ({
    command,
    decision: judge(book, {tool: 'Bash', input: {command}}, bareDisk).decision,
  }));
  expect(judged.filter(({decision}) => decision !== 'ask-default')).toEqual([]);
});

/** Rejected on purpose, and a part of usual work. */
function isUsual(entry: unknown): boolean {
  return ['Install packages', 'Network access', 'Delete files', 'Change permissions', 'Push to main'].some(
    name => name === entry,
  );
}
