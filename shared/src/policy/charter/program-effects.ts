import {placeOf, type Folders, type Place, type Scene} from './place.ts';
import {plainWord, textOf, type Word} from './shell-tree.ts';

/** What a program does to which of its words, where the words alone say it. */
export type Effect =
  | {readonly kind: 'read' | 'write'; readonly place: Place; readonly inside?: 'all' | undefined}
  | {readonly kind: 'delete'; readonly place: Place; readonly isRecursive: boolean | undefined};

/** `isWhole`: the program does nothing else. */
export type Effects = {
  readonly effects: readonly Effect[];
  readonly isWhole: boolean;
  /** It may run what nobody sees. */
  readonly isBlind?: boolean | undefined;
};

type Sight = {readonly folders: Folders; readonly scene: Scene};
type Split = {
  readonly options: readonly string[];
  readonly operands: readonly Word[];
  readonly hasUnseenOption: boolean;
};

/** Options before and among the other words; behind `--` there are none. */
function split(words: readonly Word[]): Split {
  const options: string[] = [];
  const operands: Word[] = [];
  let hasUnseenOption = false;
  let isOver = false;
  for (const word of words) {
    const text = textOf(word);
    if (!isOver && text === '--') isOver = true;
    else if (!isOver && text !== undefined && /^-./.test(text)) options.push(text);
    else {
      hasUnseenOption ||=
        !isOver && word.unknownAt !== undefined && !/^[^-]/.test(word.literal.slice(0, word.unknownAt));
      operands.push(word);
    }
  }
  return {options, operands, hasUnseenOption};
}

/** Read their operands. `skips`: how many operands come first that are no file. `refused`: options that do more. */
const readers: Readonly<Record<string, {readonly skips?: number; readonly refused?: RegExp}>> = {
  cat: {},
  head: {},
  tail: {},
  wc: {refused: /^--f/},
  nl: {},
  ls: {},
  stat: {},
  du: {refused: /^--(?:f|exclude-f)|^-[A-Za-z]*X/},
  df: {},
  md5sum: {},
  sha1sum: {},
  sha256sum: {},
  cksum: {},
  strings: {},
  od: {},
  hexdump: {},
  cut: {},
  fold: {},
  column: {},
  comm: {},
  cmp: {},
  diff: {},
  basename: {},
  dirname: {},
  realpath: {},
  readlink: {},
  pwd: {},
  tac: {},
  rev: {},
  tr: {skips: 2},
  grep: {skips: 1, refused: /^-[A-Za-z]*[ef]|^--(?:f|reg|exclude-f)/},
  egrep: {skips: 1, refused: /^-[A-Za-z]*[ef]|^--(?:f|reg|exclude-f)/},
  fgrep: {skips: 1, refused: /^-[A-Za-z]*[ef]|^--(?:f|reg|exclude-f)/},
  rg: {skips: 1, refused: /^-[A-Za-z]*[efz]|^--(?:pre|hostname-bin|search-zip|file|regexp|ignore-file)/},
  jq: {skips: 1, refused: /^-[A-Za-z]*[fL]|^--(?:from-file|slurpfile|rawfile|argfile|library-path)/},
  sort: {refused: /^-[A-Za-z]*[oTS]|^--(?:o|c|t|f|r)/},
};

/** Do nothing to files: they print, wait or end. */
const idle = new Set([
  'echo',
  'true',
  'false',
  ':',
  'sleep',
  'exit',
  'return',
  'break',
  'continue',
  'wait',
  'whoami',
  'uname',
  'seq',
]);

/** Undefined for a program of which nothing is known. */
export function effectsOf(program: string, words: readonly Word[], sight: Sight): Effects | undefined {
  const parts = split(words);
  if (idle.has(program)) return {effects: [], isWhole: true};
  if (program === 'dd') return ddEffects(words, sight);
  if (Object.hasOwn(readers, program)) return readerEffects(program, parts, sight);
  const read = others.find(({programs}) => programs.has(program))?.read;
  return read?.(program, parts, sight);
}

/** Remove whatever they are given with everything inside. */
const whole = new Set(['trash', 'trash-put', 'rimraf', 'del-cli', 'grm']);

type ReadParts = (program: string, parts: Split, sight: Sight) => Effects;

const others: readonly {readonly programs: ReadonlySet<string>; readonly read: ReadParts}[] = [
  // It can print into a variable.
  {programs: new Set(['printf']), read: (_, {options}) => ({effects: [], isWhole: options.length === 0})},
  {programs: new Set(['sed', 'gsed']), read: (_, parts, sight) => sedEffects(parts, sight)},
  {programs: new Set(['rm', 'rmdir', 'unlink', 'shred', 'srm', ...whole]), read: removerEffects},
  {programs: new Set(['cp', 'mv', 'ln', 'install', 'rsync', 'ditto']), read: copierEffects},
  {
    programs: new Set(['tee', 'touch', 'mkdir', 'truncate', 'mkfifo', 'sponge']),
    read: (_, parts, sight) => ({effects: places('write', parts.operands, sight), isWhole: isSimple(parts)}),
  },
  {
    // The first operand says how.
    programs: new Set(['chmod', 'chown', 'chgrp', 'setfacl', 'chattr', 'chflags', 'xattr']),
    read: (_, parts, sight) => ({effects: places('write', parts.operands.slice(1), sight), isWhole: isSimple(parts)}),
  },
];

function places<Kind extends 'read' | 'write'>(
  kind: Kind,
  words: readonly Word[],
  {folders, scene}: Sight,
): readonly {readonly kind: Kind; readonly place: Place}[] {
  return words.map(word => ({kind, place: placeOf(word, folders, scene)}));
}

/** Letters and names without a path in them. */
function isSimple({options, hasUnseenOption}: Split): boolean {
  return (
    !hasUnseenOption && options.every(option => /^-[A-Za-z0-9][\w,.:%-]*$|^--[a-z-]+(?:=[\w,.:-]*)?$/.test(option))
  );
}

function readerEffects(program: string, parts: Split, sight: Sight): Effects {
  const {skips = 0, refused} = readers[program] ?? {};
  const isWhole = isSimple(parts) && !parts.options.some(option => refused?.test(option) === true);
  const files = isWhole ? parts.operands.slice(skips) : parts.operands;
  // Without a file it reads its input, or the folder where it is.
  const isBlind = program === 'sort' && parts.options.some(option => option.startsWith('--comp'));
  return {effects: places('read', files.length === 0 ? [plainWord('.')] : files, sight), isWhole, isBlind};
}

function removerEffects(program: string, parts: Split, {folders, scene}: Sight): Effects {
  const {options, operands, hasUnseenOption} = parts;
  const isSaid = options.some(
    option => /^-[^-]*[rR]/.test(option) || (option.length > 2 && '--recursive'.startsWith(option)),
  );
  const isRecursive = isSaid || whole.has(program) ? true : hasUnseenOption ? undefined : false;
  return {
    effects: operands.map(word => ({kind: 'delete', place: placeOf(word, folders, scene), isRecursive})),
    isWhole: isSimple(parts),
  };
}

function copierEffects(program: string, parts: Split, sight: Sight): Effects {
  const has = (option: RegExp): boolean => parts.options.some(each => option.test(each));
  const hasTarget = has(/^-[^-]*t|^--t/);
  const {sources, targets} = copied(parts, hasTarget);
  const isMove = program === 'mv' || has(/^--remove-source/);
  const isWhole = /^(?:mv|ln)$/.test(program) || has(/^-[^-]*[rRa]|^--(?:rec|arc)/);
  const isSynced = program === 'rsync';
  // What a copy is made to be like may also be removed.
  const removed = [...(isMove ? sources : []), ...(isSynced && has(/^--del/) ? targets : [])];
  // Whoever writes to a link, or a second name, writes there.
  const written = program === 'ln' ? sources : [];
  const inside = isWhole ? 'all' : undefined;
  return {
    effects: [
      ...places('read', sources, sight),
      ...places('write', written, sight),
      ...places('write', targets, sight).map(effect => ({...effect, inside})),
      ...removed.map(word => ({
        kind: 'delete' as const,
        place: placeOf(word, sight.folders, sight.scene),
        isRecursive: true,
      })),
    ],
    isWhole: !isSynced && program !== 'install' && isSimple(parts) && !hasTarget,
    isBlind: isSynced && has(/^-[^-]*e|^--rs/),
  };
}

function copied(
  {options, operands}: Split,
  hasTarget: boolean,
): {readonly sources: readonly Word[]; readonly targets: readonly Word[]} {
  if (!hasTarget) return {sources: operands.slice(0, -1), targets: operands.slice(-1)};
  const named = options.flatMap(option =>
    /^--t[a-z-]*=/.test(option) ? [plainWord(option.replace(/^[^=]*=/, ''))] : [],
  );
  return {sources: operands, targets: [...named, ...operands]};
}

/** Only the printing of lines by their numbers is known not to write or run anything. */
function sedEffects(parts: Split, sight: Sight): Effects {
  const [script, ...files] = parts.operands;
  const text = script === undefined ? undefined : textOf(script);
  if (/^(?:\d+|\$)(?:,(?:\d+|\$))?p$/.test(text ?? '') && parts.options.join(' ') === '-n')
    return {effects: places('read', files, sight), isWhole: true};
  const inPlace = parts.hasUnseenOption || parts.options.some(option => /^-[^-]*i|^--i/.test(option));
  // The lines of a script name the files that it reads and writes.
  const inside = [...(text ?? '').matchAll(/(?:^|[\s;}/\d$])[rRwW]\s+([^\n]+)/g)].map(([, path = '']) =>
    plainWord(path.trim()),
  );
  return {
    effects: [
      ...places(inPlace ? 'write' : 'read', inPlace ? parts.operands : files, sight),
      ...places('write', inside, sight),
    ],
    isWhole: false,
    isBlind: text === undefined || parts.options.some(option => /^-[^-]*f|^--f/.test(option)) || sedRuns(parts),
  };
}

/** `e` as a command, or as a flag of `s`, in any word that may be a script. */
function sedRuns({options, operands}: Split): boolean {
  const scripts = [...options.map(option => option.replace(/^-[^-]*?e|^--expression=/, '')), ...operands.map(textOf)];
  return scripts.some(
    script => script !== undefined && /(?:^|[;{}\n]\s*|[\d$/]\s*)e(?:\s|$)|s([^\w\s]).*\1.*\1[gpiIm\d]*e/s.test(script),
  );
}

function ddEffects(words: readonly Word[], {folders, scene}: Sight): Effects {
  const effects = words.flatMap((word): readonly Effect[] => {
    const found = /^(?<side>if|of)=/.exec(word.literal);
    if (found === null) return [];
    const cut = found[0].length;
    const rest = {
      ...word,
      literal: word.literal.slice(cut),
      unknownAt: word.unknownAt === undefined ? undefined : word.unknownAt - cut,
    };
    return [{kind: found[1] === 'if' ? 'read' : 'write', place: placeOf(rest, folders, scene)}];
  });
  return {effects, isWhole: false};
}
