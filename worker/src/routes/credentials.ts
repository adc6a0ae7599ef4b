import type * as z from 'zod';
import * as contracts from '@switchyard/shared/api/pool-contracts.ts';
import {toHex} from '@switchyard/shared/crypto/bytes.ts';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {poolSchema, type Pool} from '@switchyard/shared/domain/id.ts';
import {registerPool} from '../db/directory.ts';
import type {Caller, NewCredential} from '../fleet/fleet-rpc.ts';
import {bearerOf} from '../http/caller.ts';
import type {Installation} from '../http/installation.ts';
import {mount, mountOpen, type Api} from '../http/mount.ts';
import {unwrap} from '../http/problem.ts';

const ID_BYTES = 8;
const SECRET_BYTES = 24;

export function mountCredentials(api: Api): void {
  const {installation} = api;

  mount(
    api,
    contracts.listCredentials,
  )(async ({fleet, caller}) => {
    const {credentials} = unwrap(await fleet.listCredentials(caller));
    return {status: 200, body: {credentials: [...credentials]}};
  });

  mount(
    api,
    contracts.createCredential,
  )(async ({fleet, caller, pool, body}) => {
    const made = await makeCredential(body, pool, installation);
    unwrap(await fleet.createCredential(caller, made.row));
    return {status: 201, body: {id: made.row.id, credential: made.credential, secret: made.secret}};
  });

  mount(
    api,
    contracts.revokeCredential,
  )(async ({fleet, caller, params}) => {
    const {id} = unwrap(await fleet.revokeCredential(caller, params.id));
    return {status: 200, body: {id}};
  });

  mountOpen(
    api,
    contracts.createPool,
  )(async ({header, body}) => {
    await requireRoot(bearerOf(header), installation);
    const pool = poolSchema.parse(body.pool);
    await registerPool(installation.database, {team: body.team, pool, nowMs: installation.platform.nowMs()});
    const asked = {kind: 'token', name: body.token_name, scope: 'admin'} as const;
    const token = await makeCredential(asked, pool, installation);
    unwrap(await installation.fleet(pool).createCredential(root, token.row));
    return {status: 201, body: {team: body.team, pool, token: token.credential}};
  });
}

const root: Caller = {kind: 'root'};

async function requireRoot(bearer: string | undefined, {mint}: Installation): Promise<void> {
  if (bearer === undefined || !(await mint.isRootToken(bearer)))
    throw new SwitchyardError('unauthorized', 'this needs the root token of the installation');
}

type Asked = z.output<NonNullable<typeof contracts.createCredential.body>>;

/** A secret is derived or random, and shown to the caller only: what is stored cannot be turned back into it. */
async function makeCredential(
  asked: Asked,
  pool: Pool,
  installation: Installation,
): Promise<{readonly row: NewCredential; readonly credential: string; readonly secret: string | null}> {
  const {mint} = installation;
  const id = randomHex(ID_BYTES, installation);
  const {kind, name} = asked;
  if (kind === 'token') {
    const credential = await mint.mint('swy', pool, {id, body: randomHex(SECRET_BYTES, installation)});
    const opened = await mint.open(credential);
    if (opened === undefined) throw new SwitchyardError('internal', 'a token that was just made cannot be read');
    return {row: {id, name, kind, scope: asked.scope, hash: opened.hash}, credential, secret: null};
  }
  const body = kind === 'hmac' ? 'hmac' : asked.public_key_hex;
  const credential = await mint.mint('swk', pool, {id, body});
  const secret = kind === 'hmac' ? await mint.signerSecret(credential) : null;
  return {row: {id, name, kind, scope: 'write', hash: null}, credential, secret};
}

function randomHex(bytes: number, {platform}: Installation): string {
  return toHex(platform.randomBytes(bytes));
}
