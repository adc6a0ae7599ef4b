import {existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {expect, test} from 'vitest';
import {lint} from '@switchyard/shared/policy/charter/rulebook.ts';
import {readCharterFile} from '../../runner/src/agent/charter-file.ts';
import {repository} from '../fixtures/cli.ts';
import {silentProgram} from '../fixtures/silent-program.ts';

const readme = readFileSync(join(repository, 'README.md'), 'utf8');
type Command = typeof silentProgram;

/** What stands behind `npx switchyard`, up to whatever the shell or a person reads. */
const calls = [...readme.matchAll(/npx switchyard ([^#|<>)`\n]+)/g)].map(([, words = '']) => words.trim());

/** The command that the words name, and the words that are left for it. */
function commandOf(words: readonly string[]): {readonly command: Command; readonly rest: readonly string[]} {
  let command = silentProgram;
  for (const [index, word] of words.entries()) {
    const next = command.commands.find(each => each.name() === word || each.aliases().includes(word));
    if (next === undefined) return {command, rest: words.slice(index)};
    command = next;
  }
  return {command, rest: []};
}

test.for([...new Set(calls)])('[AR18] the README names a command that there is: %s', call => {
  const words = call.replaceAll(/"[^"]*"/g, 'text').split(/\s+/);
  const {command, rest} = commandOf(words);
  expect(command, 'a command').not.toBe(silentProgram);
  expect(command.commands.length === 0 || rest.length === 0, `${command.name()} has no command ${rest[0]}`).toBe(true);
  const known = command.options.flatMap(({short, long}) => [short, long]);
  for (const word of rest.filter(each => /^--?[a-z]/.test(each))) expect(known).toContain(word);
});

test('[AR18] the README names enough commands, and only documents that there are', () => {
  expect(calls.length).toBeGreaterThan(20);
  for (const [, path = ''] of readme.matchAll(/`((?:docs|shared|runner|worker|test)\/[^`*]+)`/g))
    expect(existsSync(join(repository, path)), path).toBe(true);
});

test('[AR18] every entry of the charter in the README is understood', async () => {
  const [[, text = ''] = [], ...others] = readme.matchAll(/```yaml\n([\s\S]*?)```/g);
  expect(others).toEqual([]);
  const folder = mkdtempSync(join(tmpdir(), 'readme-'));
  try {
    writeFileSync(join(folder, 'charter.yaml'), text);
    const {safetyHeuristics, hardConstraints} = await readCharterFile(join(folder, 'charter.yaml'));
    expect(safetyHeuristics.escalate).toHaveLength(2);
    expect(lint(safetyHeuristics, hardConstraints)).toEqual([]);
  } finally {
    rmSync(folder, {recursive: true});
  }
});
