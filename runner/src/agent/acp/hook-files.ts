import {readdirSync, readFileSync, renameSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';

/** Where a hook and the relay beside its agent meet: a folder that commands in the sandbox of the agent cannot write to. */
export const hookFiles = {
  relay: (directory: string): string => join(directory, 'relay.pid'),
  question: (directory: string, id: string): string => join(directory, `${id}.question`),
  answer: (directory: string, id: string): string => join(directory, `${id}.answer`),
};

/** A file that is there as a whole or not at all. */
export function putFile(path: string, text: string): void {
  writeFileSync(`${path}.new`, text, {mode: 0o600});
  renameSync(`${path}.new`, path);
}

/** Reads and removes a file; undefined where it is not there yet. */
export function takeFile(path: string): string | undefined {
  try {
    const text = readFileSync(path, 'utf8');
    rmSync(path);
    return text;
  } catch {
    return undefined;
  }
}

/** The ids of the questions that lie in a folder. */
export function openQuestions(directory: string): readonly string[] {
  return readdirSync(directory).flatMap(name => /^(?<id>[\w-]+)\.question$/.exec(name)?.groups?.['id'] ?? []);
}
