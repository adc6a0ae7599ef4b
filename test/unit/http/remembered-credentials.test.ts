import {beforeEach, expect, test} from 'vitest';
import {utf8} from '@switchyard/shared/crypto/bytes.ts';
import {credentialMint, type CredentialMint} from '@switchyard/shared/crypto/credential.ts';
import {poolSchema} from '@switchyard/shared/domain/id.ts';
import {rememberingMint} from '../../../worker/src/http/remembered-credentials.ts';

const body = '0123456789abcdef0123456789abcdef';
const pool = poolSchema.parse('team-a-builds');

let opened: string[];
let mint: CredentialMint;

beforeEach(async () => {
  opened = [];
  const real = await credentialMint(utf8('the secret of the installation'));
  mint = rememberingMint({
    ...real,
    open: async text => {
      opened.push(text);
      return real.open(text);
    },
  });
});

const token = async (number: number): Promise<string> =>
  mint.mint('swy', pool, {id: String(number).padStart(8, '0'), body});

test('[AU23] a credential that comes again opens to the same without its MAC', async () => {
  const text = await token(1);
  const first = await mint.open(text);
  expect(first).toMatchObject({kind: 'swy', pool, id: '00000001'});
  expect(await mint.open(text)).toEqual(first);
  expect(opened).toEqual([text]);
});

test('[AU23] junk is checked every time, also beside what is remembered', async () => {
  const text = await token(1);
  await mint.open(text);
  const junk = `${text.slice(0, -1)}${text.endsWith('0') ? '1' : '0'}`;
  for (const _ of [1, 2]) expect(await mint.open(junk)).toBe(undefined);
  expect(opened).toEqual([text, junk, junk]);
});

test('[AU23] no more than 1,000 are remembered: the first goes', async () => {
  const texts = await Promise.all(Array.from({length: 1_001}, (_, number) => token(number)));
  for (const text of texts) await mint.open(text);
  opened = [];
  await mint.open(texts[1] ?? '');
  await mint.open(texts[1_000] ?? '');
  expect(opened).toEqual([]);
  await mint.open(texts[0] ?? '');
  expect(opened).toEqual([texts[0]]);
});
