import {unseen, type Act} from './act.ts';
import {readConnections} from './connections.ts';
import {gitFolders} from './git-folders.ts';
import {namedPlaces} from './named-places.ts';
import {commandOf, perhaps, type Read} from './program-acts.ts';
import {readGit} from './read-git.ts';
import {textOf, type Word} from './shell-tree.ts';

/** `git` as a command among others: what it does, whom it talks to, and what it may start. */
export const readGitCommand: Read = (words, reader) => {
  const reading = readGit(words, reader.scene.branch);
  if (reading.kind === 'unseen') return [unseen(reading.why), ...perhaps(words, reader)];
  if (reading.kind === 'alias') {
    const texts = reading.words.map(textOf);
    const script = `${reading.script} ${texts.map(text => quoted(text ?? '')).join(' ')}`;
    const acts = reader.readScript(script, reader);
    return texts.includes(undefined) ? [unseen('the words of an alias are not all seen'), ...acts] : acts;
  }
  const {action, verb} = reading;
  const command = commandOf({program: 'git', isTrusted: true, words}, reader);
  const isRemote = action.kind === 'push' || action.kind === 'fetch';
  const mayStart = isRemote || action.kind === 'other' || action.kind === 'rewrite';
  const hosts = isRemote ? readConnections('git', words) : [];
  return [
    {kind: 'git', action, command, isSure: true},
    // Where a named remote leads is not seen, and it may be a folder.
    ...hosts.map((host): Act => ({kind: 'connect', host, command, isSure: host !== undefined})),
    ...gitFolders(verb, reading.words, isElsewhere(words) ? {...reader, folders: [undefined]} : reader),
    ...(mayStart ? perhaps(words, reader) : namedPlaces(verb === 'commit' ? withoutMessages(words) : words, reader)),
  ];
};

/** Told of another repository than the one around the folder where it starts. */
function isElsewhere(words: readonly Word[]): boolean {
  return words.some(({literal}) => /^(?:-C|--git-dir|--work-tree)/.test(literal));
}

/** The message of a commit is a text, and names no place. */
function withoutMessages(words: readonly Word[]): readonly Word[] {
  return words.filter(({literal}, index) => {
    const before = words[index - 1]?.literal ?? '';
    return !/^(?:-[aeinopqsvz]*m|--message)$/.test(before) && !/^(?:-[aeinopqsvz]*m.|--message=)/.test(literal);
  });
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
