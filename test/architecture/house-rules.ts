import {faultOfDisable} from '../../tools/lint/disable-has-reason.ts';
import {codeOf, type Source} from './source-tree.ts';

/** The composition roots: the only places that choose a clock, a source of chance and an environment. */
const compositionRoots = [
  /^worker\/src\/worker\.ts$/,
  // The platform makes Durable Objects, so their shells are where the parts come together.
  /^worker\/src\/(?:fleet\/fleet|tasklog\/task-log)\.ts$/,
  /^runner\/src\/(?:main|runner)\.ts$/,
  /^runner\/src\/commands\//,
  /^dashboard\//,
  /^tools\//,
];

const ambient = [
  {pattern: /\bDate\.now\b/, name: 'Date.now'},
  {pattern: /\bnew Date\(\s*\)/, name: 'new Date()'},
  {pattern: /\bMath\.random\b/, name: 'Math.random'},
  {pattern: /\bprocess\.env\b|\{[^{}]*\benv\b[^{}]*\}\s*=\s*process\b/, name: 'process.env'},
];

export function ambientFaults(source: Source): readonly string[] {
  if (compositionRoots.some(pattern => pattern.test(source.path))) return [];
  const code = codeOf(source);
  return ambient.filter(({pattern}) => pattern.test(code)).map(({name}) => `${source.path} reads ${name}`);
}

const kebab = /^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.(?:test|spec|config|d))*\.(?:ts|mjs)$/;
const vague = /^(?:helpers?|utils?|utilities|common|misc|types?|index|constants?|shared|stuff)\./;
const vagueFolder = /(?:^|\/)(?:helpers?|utils?|common|misc|types)\//;

export function nameFaults({path}: Source): readonly string[] {
  const file = path.slice(path.lastIndexOf('/') + 1);
  if (!kebab.test(file)) return [`${path} is not in kebab-case`];
  return vague.test(file) || vagueFolder.test(path) ? [`${path} does not say what it holds`] : [];
}

export const linesMax = 350;

export function lengthFaults({path, text}: Source): readonly string[] {
  const lines = text.replace(/\n$/, '').split('\n').length;
  return lines > linesMax ? [`${path} has ${lines} lines, ${linesMax} at most`] : [];
}

const talkers = [
  // What the Worker writes to its console is its log.
  /^worker\/src\/worker\.ts$/,
  /^runner\/src\/commands\//,
  /^runner\/src\/main\.ts$/,
  /^tools\//,
  /^test\//,
];

export function wordFaults(source: Source): readonly string[] {
  const {path, text} = source;
  const marks = [...text.matchAll(/\b(?<word>TODO|FIXME|XXX|HACK)\b(?!\([\w@-]+\):)/g)];
  const faults = marks.map(({groups}) => `${path} has a ${groups?.['word']} without an owner: write TODO(name):`);
  if (talkers.some(pattern => pattern.test(path))) return faults;
  return /\bconsole\.\w/.test(codeOf(source)) ? [...faults, `${path} writes to the console`] : faults;
}

const comment = /\/\*(?<block>[^]*?)\*\/|\/\/(?<line>[^\n]*)/g;

/**
 * The linter's own rule about disable comments, from outside: a directive without a rule switches off every check of
 * its line or file, that rule among them.
 */
export function disableFaults({path, text}: Source): readonly string[] {
  return [...text.matchAll(comment)].flatMap(({groups}) => {
    const fault = faultOfDisable(groups?.['block'] ?? groups?.['line'] ?? '');
    return fault === undefined ? [] : [`${path}: ${fault}`];
  });
}
