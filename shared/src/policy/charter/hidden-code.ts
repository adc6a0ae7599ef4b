import {unseen, type Act} from './act.ts';
import type {Named} from './program-acts.ts';

/** Programs that take from these options which program they start, or from where they read what they do. */
const blind: Readonly<Record<string, RegExp>> = {
  ssh: /^-[A-Za-z]*F/,
  scp: /^-[A-Za-z]*[FS]/,
  sftp: /^-[A-Za-z]*[bFS]/,
  wget: /^(?:-e|--exe|--use-ask)/,
  man: /^-[A-Za-z]*[HP]|^--(?:html|pager)/,
  curl: /^(?:-K|--config)/,
  zip: /^-TT|^--unzip-command/,
  tar: /^(?:-[A-Za-z]*[IF]|--(?:use-c|checkpoint-a|to-c|rsh|info-s|new-v))/,
  'start-stop-daemon': /^-/,
};

/** Options behind which interpreters of all languages take code. */
const inline = /^(?:-[ecE]|--?(?:eval|execute|command|code|expression))(?:=|$)/;
const code = /[\s;&|<>(){}$`"']/;

/** What a program that is not known runs without showing it: the text behind an option, or what a file names. */
export function blindly({program, words}: Named): readonly Act[] {
  const isBlind = Object.hasOwn(blind, program) && words.some(({literal}) => blind[program]?.test(literal) === true);
  const hasCode = words.some(({literal}, index) => {
    if (!inline.test(literal)) return false;
    const next = words[index + 1];
    return literal.includes('=')
      ? code.test(literal)
      : next !== undefined && (code.test(next.literal) || next.unknownAt !== undefined);
  });
  if (isBlind) return [unseen(`${program} is told what to start`)];
  return hasCode ? [unseen(`${program} may run code that is not read`)] : [];
}

/** Words of the shell that evaluate what stands in the brackets of a name. */
const evaluating = new Set(['test', '[', 'printf', 'wait']);

export function evaluates({program, words}: Named): boolean {
  return evaluating.has(program) && words.some(({literal}) => /\w\[[^\]]*(?:\$\(|`)/.test(literal));
}
