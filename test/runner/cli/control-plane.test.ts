import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import {createServer} from 'node:net';
import {DatabaseSync} from 'node:sqlite';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, expect, test} from 'vitest';
import {apiClient} from '@switchyard/shared/api/client.ts';
import {getHealth, getPool} from '@switchyard/shared/api/pool-contracts.ts';
import {compatibility, startControlPlane} from '../../../runner/src/services/control-plane.ts';
import {
  applyMigrations,
  readMigrations,
  type MigrationDatabase,
} from '../../../runner/src/services/database-migration.ts';
import {installationSecret} from '../../../runner/src/services/installation-secret.ts';
import {localPool, localRunner} from '../../../runner/src/services/local-pool.ts';
import {checkPortFree} from '../../../runner/src/services/port.ts';
import {stateLayout} from '../../../runner/src/services/state-layout.ts';
import {repository} from '../../fixtures/cli.ts';
import {keptPort} from '../../fixtures/kept-port.ts';

let root = '';
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'switchyard-plane-')));
});
afterEach(() => rmSync(root, {recursive: true, force: true}));

test('[UP9] the embedded control plane keeps its data and its tokens over a restart, on another port too', async () => {
  const layout = stateLayout(root);
  const start = async () =>
    startControlPlane({
      repository,
      directory: layout.controlPlaneDirectory,
      host: '127.0.0.1',
      port: await keptPort(),
      onLine: () => undefined,
    });
  const first = await start();
  let before: {token: string; runner: string};
  try {
    const health = await apiClient({url: first.url}).call(getHealth, {});
    expect(health.status).toBe('ok');
    await expect(
      apiClient({url: first.url, token: 'swy_default_abcdefgh_junk'}).call(getPool, {}),
    ).rejects.toMatchObject({code: 'unauthorized'});
    const {file, client} = await localPool(layout, first.url);
    before = {token: file.token, runner: (await localRunner(layout, client)).runner};
  } finally {
    await first.stop();
  }
  const second = await start();
  try {
    const {file, client} = await localPool(layout, second.url);
    const identity = await localRunner(layout, client);
    expect([file.token, identity.runner]).toEqual([before.token, before.runner]);
    expect([file.url, identity.url]).toEqual([second.url, second.url]);
    expect((await client.call(getPool, {})).runners.total).toBe(1);
    expect((await fetch(second.url)).status).toBe(200);
  } finally {
    await second.stop();
  }
  for (const path of [
    layout.secretFile,
    layout.clientFile,
    layout.localClientFile,
    join(layout.runnerDirectory, 'identity.json'),
  ])
    expect([path, statSync(path).mode & 0o777]).toEqual([path, 0o600]);
  expect(readdirSync(join(layout.controlPlaneDirectory, 'bundle'))).toHaveLength(1);
});

test('[UP10] the embedded Worker runs with the compatibility of the deployed one', () => {
  const toml = readFileSync(join(repository, 'wrangler.toml'), 'utf8');
  expect(/^compatibility_date = "(.+)"$/m.exec(toml)?.[1]).toBe(compatibility.date);
  expect(/^compatibility_flags = (.+)$/m.exec(toml)?.[1]).toBe(JSON.stringify(compatibility.flags));
});

test('[UP11] the secret of an installation is made once, and a file that is damaged or open to others stops the start', async () => {
  const path = join(root, 'control-plane', 'secret.json');
  const made = await Promise.all([installationSecret(path), installationSecret(path)]);
  expect(made[0]).toEqual(made[1]);
  expect(await installationSecret(path)).toEqual(made[0]);
  chmodSync(path, 0o640);
  await expect(installationSecret(path)).rejects.toMatchObject({code: 'configuration_invalid'});
  for (const content of ['', '{', '{"secret":"c2hvcnQ=","signing_keys":[{}]}']) {
    writeFileSync(path, content, {mode: 0o600});
    chmodSync(path, 0o600);
    await expect(installationSecret(path)).rejects.toMatchObject({code: 'state_corrupt'});
    expect(readFileSync(path, 'utf8')).toBe(content);
  }
});

test('[SV2] a taken port is named with the process that holds it', async () => {
  const server = createServer();
  const port = await keptPort();
  await checkPortFree('127.0.0.1', port);
  await new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve));
  try {
    await expect(checkPortFree('127.0.0.1', port)).rejects.toMatchObject({
      code: 'port_taken',
      detail: expect.stringMatching(
        new RegExp(`^127\\.0\\.0\\.1:${port} is held by (?:.+ \\(pid ${process.pid}\\)|another program)$`),
      ),
    });
  } finally {
    server.close();
  }
});

test('[UP12] migrations are applied once, in order, each as a whole or not at all', async () => {
  const directory = join(root, 'migrations');
  mkdirSync(directory);
  writeFileSync(join(directory, '0001_b.sql'), 'INSERT INTO t VALUES (1);');
  writeFileSync(
    join(directory, '0000_a.sql'),
    'CREATE TABLE t (x);\n--> statement-breakpoint\nCREATE INDEX i ON t (x);\n',
  );
  writeFileSync(join(directory, 'meta.json'), '{}');
  const sqlite = new DatabaseSync(':memory:');
  const database = sqliteDatabase(sqlite);
  const count = (): unknown => sqlite.prepare('SELECT count(*) AS n FROM t').get()?.['n'];
  expect(await applyMigrations(database, await readMigrations(directory))).toEqual(['0000_a.sql', '0001_b.sql']);
  expect(await applyMigrations(database, await readMigrations(directory))).toEqual([]);
  expect(count()).toBe(1);
  writeFileSync(
    join(directory, '0002_c.sql'),
    'INSERT INTO t VALUES (2);\n--> statement-breakpoint\nINSERT INTO nowhere VALUES (1);',
  );
  await expect(applyMigrations(database, await readMigrations(directory))).rejects.toMatchObject({
    code: 'state_corrupt',
    detail: expect.stringContaining('0002_c.sql'),
  });
  expect(count()).toBe(1);
  sqlite.close();
});

type Prepared = {
  readonly sql: string;
  readonly values: readonly string[];
  readonly bind: (...values: string[]) => Prepared;
};

/** The batch of D1 over SQLite itself: one transaction. */
function sqliteDatabase(sqlite: DatabaseSync): MigrationDatabase<Prepared> {
  const prepared = (sql: string, values: readonly string[]): Prepared => ({
    sql,
    values,
    bind: (...given) => prepared(sql, given),
  });
  return {
    prepare: sql => prepared(sql, []),
    batch: async statements => {
      sqlite.exec('BEGIN');
      try {
        const results = statements.map(({sql, values}) => ({results: sqlite.prepare(sql).all(...values)}));
        sqlite.exec('COMMIT');
        return results;
      } catch (error) {
        sqlite.exec('ROLLBACK');
        throw error;
      }
    },
  };
}
