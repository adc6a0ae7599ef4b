import {createInterface} from 'node:readline';
import {Writable} from 'node:stream';
import {boundedText} from '@switchyard/shared/api/bounded-text.ts';
import {UsageError} from './usage-error.ts';

/** Of one character, counted as JavaScript counts: what takes four bytes counts as two. */
const utf8BytesMax = 3;

type Input = NodeJS.ReadableStream & {readonly isTTY?: boolean | undefined};
type Output = NodeJS.WritableStream & {readonly isTTY?: boolean | undefined};

/** Standard input as a whole; empty when it is a terminal, where nobody would know that they are waited for. */
export async function readWholeInput(stdin: Input, charactersMax: number): Promise<string> {
  if (stdin.isTTY === true) return '';
  const whole = await boundedText(stdin, charactersMax * utf8BytesMax);
  if (whole === undefined || whole.length > charactersMax)
    throw new UsageError(`standard input is longer than ${charactersMax} characters`);
  return whole;
}

/** Asks on the terminal without an echo; undefined where there is none. Ctrl-C and the end of the input enter nothing. */
export function askSecret(
  {stdin, stderr}: {readonly stdin: Input; readonly stderr: Output},
  question: string,
): Promise<string> | undefined {
  if (stdin.isTTY !== true || stderr.isTTY !== true) return undefined;
  stderr.write(question);
  const silent = new Writable({write: (_chunk, _encoding, done) => done()});
  const reader = createInterface({input: stdin, output: silent, terminal: true});
  return new Promise((resolve, reject) => {
    reader.once('SIGINT', () => reader.close());
    // Also at the end of the input, which nothing else tells.
    reader.once('close', () => {
      stderr.write('\n');
      reject(new UsageError('nothing was entered'));
    });
    reader.question('', answer => {
      resolve(answer);
      reader.close();
    });
  });
}
