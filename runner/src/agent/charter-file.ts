import {constants} from 'node:fs';
import {open} from 'node:fs/promises';
import {isAlias, isMap, isNode, isScalar, LineCounter, parseDocument, visit, type Document} from 'yaml';
import {faultText, readCharter, type Charter, type CharterFault} from '@switchyard/shared/domain/charter.ts';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {errnoOf} from '../state/errno.ts';

/**
 * The charter in a YAML file. Throws `charter_invalid` with the line or the field for whatever cannot be read or
 * understood, a missing file among it: whoever names a charter must not run without it.
 */
export async function readCharterFile(path: string): Promise<Charter> {
  try {
    return charterOf(await readText(path));
  } catch (cause) {
    const detail =
      cause instanceof SwitchyardError
        ? cause.detail
        : errnoOf(cause) === 'ENOENT'
          ? 'there is no such file'
          : cause instanceof Error
            ? cause.message
            : 'unreadable';
    throw new SwitchyardError('charter_invalid', `the charter ${path}: ${detail}`, {cause});
  }
}

/** A link is followed: what counts is the file that it leads to. */
async function readText(path: string): Promise<string> {
  await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const info = await file.stat();
  if (!info.isFile()) throw new SwitchyardError('charter_invalid', 'it is no file');
  if ((info.mode & 0o002) !== 0)
    throw new SwitchyardError('charter_invalid', 'everybody on this machine can change it: chmod o-w');
  if (info.size > limits.charterBytesMax)
    throw new SwitchyardError('charter_invalid', `it is longer than ${limits.charterBytesMax} bytes`);
  // Bytes that are no text would stand for other characters than those that are meant.
  return new TextDecoder('utf-8', {fatal: true}).decode(await file.readFile());
}

/** A key that is given twice and a tag that nobody knows are faults: what they mean is a guess. */
function charterOf(text: string): Charter {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, {version: '1.2', schema: 'core', uniqueKeys: true, lineCounter});
  const [fault] = [...document.errors, ...document.warnings];
  if (fault !== undefined) throw new SwitchyardError('charter_invalid', fault.message.split('\n')[0] ?? fault.code);
  // Such a key may be one that is there already.
  visit(document, {
    Pair: (_, {key}) => {
      if (isAlias(key)) throw new SwitchyardError('charter_invalid', `the alias *${key.source} is no key`);
    },
  });
  const read = readCharter(document.toJS({maxAliasCount: 10}));
  if ('charter' in read) return read.charter;
  const named = read.faults.map(each => `line ${lineOf(each, document, lineCounter)}: ${faultText(each)}`);
  throw new SwitchyardError('charter_invalid', named.join('; '));
}

/** The line of a field, or of what should hold it. */
function lineOf({path}: CharterFault, document: Document, lines: LineCounter): number {
  for (let length = path.length; length > 0; length -= 1) {
    const name = path[length - 1];
    const holder = length === 1 ? document.contents : document.getIn(path.slice(0, length - 1), true);
    const key = isMap(holder)
      ? holder.items.map(item => item.key).find(each => isScalar(each) && each.value === name)
      : undefined;
    const node = key ?? document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return lines.linePos(node.range[0]).line;
  }
  return 1;
}
