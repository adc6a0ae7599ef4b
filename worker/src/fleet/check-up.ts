import type {AttemptSeal, LogReceipt} from '@switchyard/shared/crypto/attempt-seal.ts';
import {utf8} from '@switchyard/shared/crypto/bytes.ts';
import {attemptBranch} from '@switchyard/shared/domain/id.ts';
import {importVerifyingKey, verifyBytes, verifyJws, type VerifyingKey} from '@switchyard/shared/crypto/jws.ts';
import {EXIT_TYP, type PublicJwk} from '@switchyard/shared/protocol/envelope.ts';
import {exitRecordSchema, type ExitRecord} from '@switchyard/shared/protocol/exit-record.ts';
import type {Hello, UpMessage} from '@switchyard/shared/protocol/up.ts';
import type {CheckedExit, CheckedUp} from './up-work.ts';

/** Who is on the other side, as far as the connection proves it. */
export type Peer = {
  readonly runner: string;
  /** Its public keys, base64url: two while one is replaced. */
  readonly keys: readonly string[];
  /** The challenge that its `hello` has to sign; undefined where none is open. */
  readonly nonce: string | undefined;
};

export type UpChecker = (peer: Peer, message: UpMessage) => Promise<CheckedUp>;

const keysKeptMax = 2_000;

/** Text that a runner signs to open a session. */
export function helloText({nonce, runner, session}: {nonce: string; runner: string; session: string}): string {
  return `switchyard-hello\n${nonce}\n${runner}\n${session}`;
}

/** Checks the signatures that a message carries. What fails is said in the answer, never thrown. */
export function upChecker(seal: Pick<AttemptSeal, 'verifyReceipt'>): UpChecker {
  const keys = new Map<string, VerifyingKey>();
  const keyOf = async (x: string): Promise<VerifyingKey> => {
    const known = keys.get(x);
    if (known !== undefined) return known;
    const jwk: PublicJwk = {kty: 'OKP', crv: 'Ed25519', x};
    const key = await importVerifyingKey(jwk);
    if (keys.size >= keysKeptMax) keys.clear();
    keys.set(x, key);
    return key;
  };
  const keysOf = async (peer: Peer): Promise<readonly VerifyingKey[]> => Promise.all(peer.keys.map(keyOf));
  return async (peer, message) => {
    if (message.t === 'hello') {
      return {t: 'hello', hello: message, isSigned: await isSigned(await keysOf(peer), peer.nonce, message)};
    }
    if (message.t !== 'exit') return message;
    const {task, epoch} = message;
    return {t: 'exit', task, epoch, exit: await checkExit({peer, keys: await keysOf(peer), seal}, message)};
  };
}

async function isSigned(
  keys: readonly VerifyingKey[],
  nonce: string | undefined,
  {runner, session, sig}: Hello,
): Promise<boolean> {
  if (nonce === undefined) return false;
  const text = utf8(helloText({nonce, runner, session}));
  const matches = await Promise.all(keys.map(async key => verifyBytes(key, text, sig)));
  return matches.includes(true);
}

type ExitCheck = {
  readonly peer: Peer;
  readonly keys: readonly VerifyingKey[];
  readonly seal: Pick<AttemptSeal, 'verifyReceipt'>;
};

async function checkExit(
  {peer, keys, seal}: ExitCheck,
  {task, epoch, record: jws}: Extract<UpMessage, {t: 'exit'}>,
): Promise<CheckedExit> {
  const record = await verifyJws(jws, {typ: EXIT_TYP, keys, schema: exitRecordSchema});
  const claim = record && receiptClaim(record);
  const hasReceipt = claim !== undefined && (await seal.verifyReceipt(claim.receipt, claim.of));
  return judgeExit({task, epoch, runner: peer.runner}, record, hasReceipt);
}

/** What the receipt in a record has to say; `undefined` where it holds none. */
export function receiptClaim({
  task,
  epoch,
  log_len: length,
  log_sha256: sha256,
  log_receipt: receipt,
}: ExitRecord): {readonly receipt: string; readonly of: LogReceipt} | undefined {
  return receipt === null ? undefined : {receipt, of: {task, epoch, length, sha256}};
}

/** The verdict on the record of an exit, once its signatures were checked. */
export function judgeExit(
  {task, epoch, runner}: {readonly task: string; readonly epoch: number; readonly runner: string},
  record: ExitRecord | undefined,
  hasReceipt: boolean,
): CheckedExit {
  if (record === undefined) return {ok: false, why: 'bad_signature'};
  if (record.task !== task || record.epoch !== epoch || record.runner !== runner) return {ok: false, why: 'invalid'};
  // People look at the branch that it names, and more will be built on it: a runner vouches for its own only.
  if (record.git !== null && record.git.branch !== attemptBranch(task, epoch)) return {ok: false, why: 'invalid'};
  return hasReceipt || record.log_len === 0 ? {ok: true, record} : {ok: false, why: 'log_incomplete'};
}
