import {readFile, stat} from 'node:fs/promises';
import {parseDocument} from 'yaml';
import {parseCharter, type Charter} from '@switchyard/shared/domain/charter.ts';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';

/**
 * The charter in a YAML file. Throws `charter_invalid` with the line or the field for whatever cannot be read or
 * understood, a missing file among it: whoever names a charter must not run without it.
 */
export async function readCharterFile(path: string): Promise<Charter> {
  try {
    return parseCharter(readYaml(await readText(path)));
  } catch (cause) {
    const detail =
      cause instanceof SwitchyardError ? cause.detail : cause instanceof Error ? cause.message : 'unreadable';
    throw new SwitchyardError('charter_invalid', `the charter ${path}: ${detail}`, {cause});
  }
}

async function readText(path: string): Promise<string> {
  const {size} = await stat(path);
  if (size > limits.charterBytesMax)
    throw new SwitchyardError('charter_invalid', `it is longer than ${limits.charterBytesMax} bytes`);
  return readFile(path, 'utf8');
}

/** A key that is given twice and a tag that nobody knows are faults: what they mean is a guess. */
function readYaml(text: string): unknown {
  const document = parseDocument(text, {version: '1.2', schema: 'core', uniqueKeys: true});
  const [fault] = [...document.errors, ...document.warnings];
  if (fault !== undefined) throw new SwitchyardError('charter_invalid', fault.message.split('\n')[0] ?? fault.code);
  return document.toJS({maxAliasCount: 10});
}
