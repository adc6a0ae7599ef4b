import {beforeAll, describe, expect, test} from 'vitest';
import {attemptSeal, type AttemptSeal} from '@switchyard/shared/crypto/attempt-seal.ts';
import {fromBase64, sha256Hex, utf8} from '@switchyard/shared/crypto/bytes.ts';
import {credentialKinds, credentialMint, type CredentialMint} from '@switchyard/shared/crypto/credential.ts';
import {poolSchema} from '@switchyard/shared/domain/id.ts';

const body = '0123456789abcdef0123456789abcdef';
const id = 'k3m9x2q7';
const pool = poolSchema.parse('team-a-builds');

let mint: CredentialMint;
let other: CredentialMint;
let token: string;

beforeAll(async () => {
  mint = await credentialMint(utf8('the secret of the installation'));
  other = await credentialMint(utf8('the secret of another'));
  token = await mint.mint('swy', pool, {id, body});
});

describe('a credential', () => {
  test.for(credentialKinds)('[CR13] of kind %s opens as what it was minted, also in a pool with dashes', async kind => {
    const text = await mint.mint(kind, pool, {id, body});
    expect(text).toMatch(new RegExp(`^${kind}_team-a-builds_${id}_${body}_[0-9a-f]{32}$`));
    expect(await mint.open(text)).toEqual({kind, pool, id, body, hash: await sha256Hex(text)});
  });

  test('[CR13] of a signer says its public key, or that it is a shared secret', async () => {
    for (const key of ['hmac', 'ab'.repeat(32)]) {
      expect((await mint.open(await mint.mint('swk', pool, {id, body: key})))?.body).toBe(key);
    }
  });

  test('[CR14] is refused when any one character differs', async () => {
    const opened: string[] = [];
    for (let at = 0; at < token.length; at += 1) {
      for (const replacement of ['0', 'a', 'b', 'z', '-', '_', 'A', '\n', '']) {
        const changed = token.slice(0, at) + replacement + token.slice(at + 1);
        if (changed !== token && (await mint.open(changed)) !== undefined) opened.push(changed);
      }
    }
    expect(opened).toEqual([]);
  });

  test('[CR14] is refused with anything before or after it', async () => {
    for (const text of [
      '',
      ' ',
      `${token} `,
      `${token}\n`,
      ` ${token}`,
      `${token}_`,
      token.toUpperCase(),
      token.slice(1),
    ]) {
      expect(await mint.open(text), JSON.stringify(text)).toBe(undefined);
    }
    expect(await mint.open(token)).toBeDefined();
  });

  test('[CR14] of one pool, kind or id is worthless for another that reads alike', async () => {
    const mac = token.slice(-32);
    for (const text of [
      `swe_team-a-builds_${id}_${body}_${mac}`,
      `swy_team-a-build_${id}_${body}_${mac}`,
      `swy_team-a-builds2_${id}_${body}_${mac}`,
      `swy_team-a_${id}_${body}_${mac}`,
      `swy_team-a-builds_${id}0_${body}_${mac}`,
      `swy_../x_${id}_${body}_${mac}`,
    ]) {
      expect(await mint.open(text), text).toBe(undefined);
    }
  });

  test('[CR15] of another installation is refused', async () => {
    expect(await other.open(token)).toBe(undefined);
    expect(await other.rootToken()).not.toBe(await mint.rootToken());
  });

  test('[CR15] the root token is known to its installation alone and opens as nothing else', async () => {
    const root = await mint.rootToken();
    expect(await mint.isRootToken(root)).toBe(true);
    expect(await other.isRootToken(root)).toBe(false);
    for (const text of ['', 'swr_', root.slice(0, -1), `${root}0`, root.toUpperCase(), token]) {
      expect(await mint.isRootToken(text), text).toBe(false);
    }
    expect(await mint.open(root)).toBe(undefined);
  });

  test('[CR16] the secret of a signer follows from its key id, and from nothing that is published', async () => {
    const secret = await mint.signerSecret('swk_a');
    expect(await mint.signerSecret('swk_a')).toBe(secret);
    expect(fromBase64(secret.replace('whsec_', ''))).toHaveLength(32);
    expect(new Set([secret, await mint.signerSecret('swk_b'), await other.signerSecret('swk_a')]).size).toBe(3);
  });
});

describe('the seals of an attempt', () => {
  const ticket = {pool: 'acme', task: 'tsk_a', epoch: 2, runner: 'rnr_a'};
  const receipt = {task: 'tsk_a', epoch: 2, length: 10, sha256: 'ab'.repeat(32)};
  let seal: AttemptSeal;

  beforeAll(async () => {
    seal = await attemptSeal(utf8('the secret of the installation'));
  });

  test('[CR17] a ticket opens one log for one runner', async () => {
    const text = await seal.ticket(ticket);
    expect(await seal.verifyTicket(text, ticket)).toBe(true);
    for (const change of [{pool: 'acme2'}, {task: 'tsk_b'}, {epoch: 1}, {epoch: 3}, {runner: 'rnr_b'}]) {
      expect(await seal.verifyTicket(text, {...ticket, ...change}), JSON.stringify(change)).toBe(false);
    }
  });

  test('[CR17] a receipt is for one length and hash of one log', async () => {
    const text = await seal.receipt(receipt);
    expect(await seal.verifyReceipt(text, receipt)).toBe(true);
    for (const change of [{task: 'tsk_b'}, {epoch: 3}, {length: 11}, {length: 1}, {sha256: 'ac'.repeat(32)}]) {
      expect(await seal.verifyReceipt(text, {...receipt, ...change}), JSON.stringify(change)).toBe(false);
    }
  });

  test('[CR18] a ticket is no receipt, and neither is junk or one of another installation', async () => {
    expect(await seal.verifyReceipt(await seal.ticket(ticket), receipt)).toBe(false);
    expect(await seal.verifyTicket(await seal.receipt(receipt), ticket)).toBe(false);
    const text = await seal.ticket(ticket);
    for (const junk of ['', 'zz', text.slice(2), `${text}00`, `${text}0`, text.replace(/^./, 'g'), `${text}\n`]) {
      expect(await seal.verifyTicket(junk, ticket), junk).toBe(false);
    }
    const foreign = await attemptSeal(utf8('the secret of another'));
    expect(await foreign.verifyTicket(text, ticket)).toBe(false);
  });
});
