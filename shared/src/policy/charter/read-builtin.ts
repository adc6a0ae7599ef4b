import {unseen} from './act.ts';
import {placeOf} from './place.ts';
import {readVariable, type Read} from './program-acts.ts';
import {plainWord, textOf, type Word} from './shell-tree.ts';

export const readFolderChange: Read = (words, reader) => {
  const {scene, isLoop, folders} = reader;
  const operands = words.filter(({source}) => !/^-[LP]$/.test(source));
  const [target, ...more] = operands.length === 0 ? [plainWord(scene.home ?? '-')] : operands;
  if (target === undefined) return [];
  const place = placeOf(target, folders, scene);
  const isFixed = target.literal.startsWith('/') || !isLoop;
  const isSure = place.isKnown && !place.isPattern && more.length === 0 && !target.literal.startsWith('-') && isFixed;
  reader.folders = [...new Set([...folders, ...(isSure ? place.paths : [undefined])])];
  return [];
};

/** `set -e` and its like change nothing about what a command means; alone it prints all variables. */
export const readSet: Read = words =>
  words.length > 0 && words.every(word => /^[-+](?:[eux]|o)+$|^pipefail$/.test(textOf(word) ?? ''))
    ? []
    : [unseen('set changes what commands mean or prints what they know')];

export const readExport: Read = words => words.flatMap(readExported);

function readExported({literal}: Word): ReturnType<typeof readVariable> {
  const name = /^(?<name>[A-Za-z_]\w*)(?:=|$)/.exec(literal)?.groups?.['name'];
  return name === undefined ? [unseen('export changes what is not known')] : readVariable(name);
}
