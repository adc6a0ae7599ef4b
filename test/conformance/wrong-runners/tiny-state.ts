import {existsSync, mkdirSync, readFileSync, renameSync, writeFileSync} from 'node:fs';
import {uptime} from 'node:os';
import {join} from 'node:path';
import {generatePrivateJwk, importSigningKey, importVerifyingKey, signBytes} from '@switchyard/shared/crypto/jws.ts';
import type {SigningKey, VerifyingKey} from '@switchyard/shared/crypto/jws.ts';
import {utf8} from '@switchyard/shared/crypto/bytes.ts';
import type {TaskSpec} from '@switchyard/shared/domain/task-spec.ts';
import type {AttemptResult} from '@switchyard/shared/protocol/exit-record.ts';

/** Milliseconds since boot; counts sleep. */
export const bootMs = (): number => Math.round(uptime() * 1_000);

export type TinyAttempt = {
  readonly task: string;
  readonly epoch: number;
  readonly spec: TaskSpec;
  phase: 'accepted' | 'running' | 'exited' | 'reported';
  /** The first accept that this process sent; an echo from before it is none. */
  acceptedMs: number;
  deadlineMs: number;
  ticket: string;
  /** Set when it was decided before the agent ended. */
  result?: AttemptResult | undefined;
  killAtMs?: number | undefined;
  code?: number | null | undefined;
  receipt?: string | null | undefined;
  end?: {readonly len: number; readonly sha256: string} | undefined;
  sentMs?: number | undefined;
  inputs: number[];
};

type Identity = {
  readonly runner: string;
  readonly certificate: string;
  readonly keys: readonly {kty: 'OKP'; crv: 'Ed25519'; x: string}[];
  readonly privateJwk: object;
};

type Stored = {identity: Identity; epochs: Record<string, number>; attempts: TinyAttempt[]};

/** All that outlives the process: who it is, which epochs began, and what it holds. One file, replaced as a whole. */
export class TinyState {
  readonly folder: string;
  readonly url: string;
  readonly identity: Identity;
  readonly key: SigningKey;
  readonly serverKeys: readonly VerifyingKey[];
  readonly epochs: Map<string, number>;
  attempts: TinyAttempt[];

  private constructor(place: {folder: string; url: string}, stored: Stored, keys: [SigningKey, VerifyingKey[]]) {
    this.folder = place.folder;
    this.url = place.url;
    this.identity = stored.identity;
    [this.key, this.serverKeys] = keys;
    this.epochs = new Map(Object.entries(stored.epochs));
    // What was only accepted has no lease, and its accept was of another process.
    this.attempts = stored.attempts.filter(({phase}) => phase !== 'accepted');
  }

  static async open(folder: string, url: string, token: string): Promise<TinyState> {
    mkdirSync(folder, {recursive: true, mode: 0o700});
    const path = join(folder, 'tiny.json');
    const stored: Stored = existsSync(path)
      ? JSON.parse(readFileSync(path, 'utf8'))
      : {identity: await enrol(url, token), epochs: {}, attempts: []};
    const key = await importSigningKey(stored.identity.privateJwk);
    const serverKeys = await Promise.all(stored.identity.keys.map(async jwk => importVerifyingKey(jwk)));
    const state = new TinyState({folder, url}, stored, [key, serverKeys]);
    state.save();
    return state;
  }

  find(task: string, epoch: number): TinyAttempt | undefined {
    return this.attempts.find(attempt => attempt.task === task && attempt.epoch === epoch);
  }

  drop(attempt: TinyAttempt): void {
    this.attempts = this.attempts.filter(each => each !== attempt);
    this.save();
  }

  save(): void {
    const {identity, attempts} = this;
    const path = join(this.folder, 'tiny.json');
    const stored: Stored = {identity, epochs: Object.fromEntries(this.epochs), attempts};
    writeFileSync(`${path}.tmp`, JSON.stringify(stored), {mode: 0o600});
    renameSync(`${path}.tmp`, path);
  }
}

async function enrol(url: string, token: string): Promise<Identity> {
  const privateJwk = await generatePrivateJwk();
  const {publicJwk: jwk, ...key} = await importSigningKey(privateJwk);
  const proof = await signBytes({...key, publicJwk: jwk}, utf8(`switchyard-enrol\n${token}\n${jwk.x}`));
  const body = JSON.stringify({token, name: 'tiny', labels: [], jwk, proof});
  const headers = {'content-type': 'application/json'};
  const answer = await fetch(new URL('/v1/runners/enrol', url), {method: 'POST', headers, body});
  if (!answer.ok) throw new Error(`the enrolment was answered by ${answer.status}: ${await answer.text()}`);
  return {...((await answer.json()) as Omit<Identity, 'privateJwk'>), privateJwk};
}
