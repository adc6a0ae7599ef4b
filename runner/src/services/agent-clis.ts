import {accessSync, constants} from 'node:fs';
import {delimiter, join} from 'node:path';

/** Agent CLIs by the name of their driver: the program that is started, and the package that brings it. */
export const agentClis = [
  {name: 'claude', program: 'claude', title: 'Claude Code', install: 'npm install -g @anthropic-ai/claude-code'},
  {name: 'codex', program: 'codex-acp', title: 'Codex', install: 'npm install -g @agentclientprotocol/codex-acp'},
  {name: 'gemini', program: 'gemini', title: 'Gemini CLI', install: 'npm install -g @google/gemini-cli'},
  {name: 'opencode', program: 'opencode', title: 'OpenCode', install: 'npm install -g opencode-ai'},
] as const;

/** Where a program is, by a PATH; `undefined` when it is nowhere. */
export function findProgram(name: string, path: string | undefined): string | undefined {
  return (path ?? '')
    .split(delimiter)
    .filter(directory => directory !== '')
    .map(directory => join(directory, name))
    .find(isExecutable);
}

export function findAgentClis(path: string | undefined): readonly {readonly name: string; readonly path: string}[] {
  return agentClis.flatMap(({name, program}) => {
    const found = findProgram(program, path);
    return found === undefined ? [] : [{name, path: found}];
  });
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
