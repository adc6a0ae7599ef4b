import type {Act} from './act.ts';
import {formsOf} from './named-places.ts';
import {placeOf} from './place.ts';
import type {Reader} from './reader.ts';
import {plainWord, textOf, type Word} from './shell-tree.ts';

/** What a program does with everything in the folders that its words name. */
type Use = {
  readonly programs: string;
  readonly does: 'reads' | 'writes' | 'removes';
  /** Only with such an option. */
  readonly when?: RegExp;
  readonly unless?: RegExp;
  /** Passes hidden files over but for such an option. */
  readonly hides?: RegExp;
  /** The first operand is what is looked for, unless such an option says it. */
  readonly pattern?: RegExp;
};

const pattern = /^-[A-Za-z]*[ef]|^--(?:file|regexp)/;
const elsewhere = /^(?:-[A-Za-z]*C|-d|--(?:cd|directory))/;
const extracting = /^-?[A-Za-z]*x|^--(?:ext|get)/;

const uses: readonly Use[] = [
  {
    programs: 'grep egrep fgrep zgrep',
    does: 'reads',
    when: /^-[A-Za-z]*[rR]|^--(?:deref|rec)|^(?:-d|--directories=)rec/,
    pattern,
  },
  {programs: 'rg ag ack', does: 'reads', hides: /^-[A-Za-z]*[u.]|^--(?:hid|no-ig|unr|ackrc)/, pattern},
  {programs: 'cp rsync scp', does: 'reads', when: /^-[A-Za-z]*[rRa]|^--(?:rec|arc)/},
  {programs: 'diff zip', does: 'reads', when: /^-[A-Za-z]*r|^--rec/},
  {programs: 'tar bsdtar gtar', does: 'reads', unless: extracting},
  {
    programs: 'mv 7z 7za 7zr 7zz rar ditto pax mksquashfs genisoimage rclone restic borg http-server serve',
    does: 'reads',
  },
  {programs: 'httpd', does: 'reads'},
  {programs: 'docker podman nerdctl kubectl oc', does: 'reads', when: /^cp$/},
  {programs: 'tar bsdtar gtar', does: 'writes', when: extracting},
  {programs: 'unzip unrar patch cpio pax bsdcpio', does: 'writes'},
  {programs: '7z 7za 7zr 7zz', does: 'writes', when: /^[xe]$/},
  {programs: 'chmod chown chgrp', does: 'writes', when: /^-[A-Za-z]*R|^--rec/},
  {programs: 'tar bsdtar gtar', does: 'removes', when: /^--remove/},
  {programs: 'zip', does: 'removes', when: /^-[A-Za-z]*m|^--move/},
  {programs: '7z 7za 7zr 7zz', does: 'removes', when: /^-sdel/},
  {
    programs: 'gzip gunzip bzip2 bunzip2 xz unxz lzma compress',
    does: 'removes',
    unless: /^-[A-Za-z]*[kctl]|^--(?:keep|stdout|to-stdout|test|list)/,
  },
  {programs: 'zstd', does: 'removes', when: /^--rm/},
];

/** Those of one program, by its name. */
const usesOf: ReadonlyMap<string, readonly Use[]> = new Map(
  [...new Set(uses.flatMap(({programs}) => programs.split(' ')))].map(name => [
    name,
    uses.filter(({programs}) => programs.split(' ').includes(name)),
  ]),
);

/**
 * Folders that a program reads, fills or empties as a whole. Its options may leave out any part of them, so that these
 * acts raise a question and refuse nothing.
 */
export function wholeFolders(program: string, words: readonly Word[], reader: Reader): readonly Act[] {
  return [
    ...(usesOf.get(program) ?? []).flatMap(use => used(use, words, reader)),
    ...(copiers.has(program) ? copied(program, words, reader) : []),
  ];
}

function used(
  {does, when, unless, hides, pattern: given}: Use,
  words: readonly Word[],
  reader: Reader,
): readonly Act[] {
  const hasOption = (option: RegExp): boolean => words.some(({literal}) => option.test(literal));
  // What is not seen may be the option.
  const mayHave = (option: RegExp): boolean => hasOption(option) || words.some(mayBeOption);
  if ((when !== undefined && !mayHave(when)) || (unless !== undefined && hasOption(unless))) return [];
  const operands = words.filter(word => !isOption(word)).slice(given === undefined || hasOption(given) ? 0 : 1);
  const named = [...operands.flatMap(formsOf), ...words.filter(isOption).flatMap(word => formsOf(word).slice(1))];
  const isHere = {reads: operands.length === 0, writes: !hasOption(elsewhere), removes: false}[does];
  const inside = hides === undefined || mayHave(hides) ? 'all' : 'shown';
  return [...named, ...(isHere ? [plainWord('.')] : [])].map(word => wholeOf(word, does, {inside, reader}));
}

function isOption({literal}: Word): boolean {
  return literal.startsWith('-');
}

function mayBeOption({literal, unknownAt}: Word): boolean {
  return unknownAt !== undefined && (unknownAt === 0 || literal.startsWith('-'));
}

function wholeOf(
  word: Word,
  does: Use['does'],
  {inside, reader: {folders, scene}}: {readonly inside: 'all' | 'shown'; readonly reader: Reader},
): Act {
  const place = placeOf(word, folders, scene);
  if (does === 'removes') return {kind: 'delete', place, isRecursive: true, isSure: false};
  return {kind: does === 'reads' ? 'read' : 'write', place, inside, isSure: false};
}

const copiers = new Set(['cp', 'mv', 'ln', 'install', 'rsync', 'ditto', 'scp']);

/** Into a folder that is there a copy goes under its own name. */
function copied(program: string, words: readonly Word[], reader: Reader): readonly Act[] {
  const operands = words.filter(({literal}) => !literal.startsWith('-'));
  const chosen = words.findIndex(({literal}) => /^-[A-Za-z]*t$|^--target-directory$/.test(literal));
  const target = chosen === -1 ? operands.at(-1) : words[chosen + 1];
  const folder = target === undefined ? undefined : textOf(target);
  // A link is mostly made under the name that is given.
  if (folder === undefined || (program === 'ln' && !/(?:^|\/)\.{0,2}$/.test(folder))) return [];
  const names = operands.filter(word => word !== target).map(word => nameOf(textOf(word)));
  return names.map(name => wholeOf(plainWord(`${folder}/${name}`), 'writes', {inside: 'all', reader}));
}

/** The last part of a path; that of the folder itself where it is not known. */
function nameOf(path: string | undefined): string {
  const name = path?.replace(/\/+$/, '').split('/').at(-1);
  return name === undefined || name === '..' || name === '' ? '.' : name;
}

/** An option whose value is where a program puts what it makes. */
const output = /^(?:-[oOP]|--?(?:out|prefix|target|dest|directory|save)[\w-]*)$/;

/** What a program writes that is not known, as far as the names of its options say so. */
export function outputs(words: readonly Word[], {folders, scene}: Reader): readonly Act[] {
  return words.flatMap((word, index): readonly Act[] => {
    const [, option = '', value = ''] = /^(-[oOP](?=[~./])|--?[\w-]+=)(.*)$/s.exec(word.literal) ?? [];
    const next = output.test(word.literal) ? words[index + 1] : undefined;
    const isJoined = option !== '' && output.test(option.replace(/=$/, ''));
    const to = isJoined && word.unknownAt === undefined ? plainWord(withHome(value, scene.home)) : next;
    return to === undefined ? [] : [{kind: 'write', place: placeOf(to, folders, scene), isSure: false}];
  });
}

/** Some programs read a tilde by themselves. */
function withHome(path: string, home: string | undefined): string {
  return home !== undefined && /^~(?:\/|$)/.test(path) ? `${home}${path.slice(1)}` : path;
}
