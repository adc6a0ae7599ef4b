import type {ReadStream, WriteStream} from 'node:tty';
import {createInterface} from 'node:readline';
import {Writable} from 'node:stream';
import {UsageError} from './usage-error.ts';

type Input = NodeJS.ReadableStream & {readonly isTTY?: boolean | undefined};

/** Standard input as a whole; empty when it is a terminal, where nobody would know that they are waited for. */
export async function readWholeInput(stdin: Input, charactersMax: number): Promise<string> {
  if (stdin.isTTY === true) return '';
  const decoder = new TextDecoder();
  let whole = '';
  for await (const part of stdin) {
    whole += typeof part === 'string' ? part : decoder.decode(part, {stream: true});
    if (whole.length > charactersMax) throw new UsageError(`standard input is longer than ${charactersMax} characters`);
  }
  return whole + decoder.decode();
}

/** Asks on the terminal without an echo; undefined where there is none. */
export function askSecret(
  {stdin, stderr}: {readonly stdin: ReadStream; readonly stderr: WriteStream},
  question: string,
): Promise<string> | undefined {
  if (!stdin.isTTY || !stderr.isTTY) return undefined;
  stderr.write(question);
  const silent = new Writable({write: (_chunk, _encoding, done) => done()});
  const reader = createInterface({input: stdin, output: silent, terminal: true});
  return new Promise((resolve, reject) => {
    reader.once('SIGINT', () => {
      reader.close();
      reject(new UsageError('nothing was entered'));
    });
    reader.question('', answer => {
      reader.close();
      stderr.write('\n');
      resolve(answer);
    });
  });
}
