import {subscribe, unsubscribe} from 'node:diagnostics_channel';
import {existsSync, readFileSync} from 'node:fs';
import {mkdtemp, readFile, rm, stat, writeFile} from 'node:fs/promises';
import {createServer as createHttpServer} from 'node:http';
import {createServer, type AddressInfo, type Server} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {describe, expect, onTestFinished, test} from 'vitest';
import {runCommand} from '../../../runner/src/executor/command.ts';
import {daemonize} from '../../../runner/src/executor/daemonize.ts';
import {identityOf, isAlive, type ProcessIdentity} from '../../../runner/src/executor/process-identity.ts';
import {waitForPort} from '../../../runner/src/executor/wait-for-port.ts';
import {keptPort} from '../../fixtures/kept-port.ts';
import {until} from '../../fixtures/until.ts';
import {agent, machine} from './host-harness.ts';

const options = {cwd: '/', env: {PATH: '/usr/bin:/bin'}, timeoutMs: 20_000};
const sh = (script: string, ...args: string[]): [string, ...string[]] => ['/bin/sh', '-c', script, 'sh', ...args];

async function temporary(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'switchyard-command-'));
  onTestFinished(() => rm(folder, {recursive: true, force: true}));
  return folder;
}

type Descendant = {readonly name: string; readonly identity: ProcessIdentity};

const descendantsCount = 5;

/** Those of the agent `escapes` that live and have said so by now. */
function descendantsOf(list: string): readonly Descendant[] {
  if (!existsSync(list)) return [];
  return [...readFileSync(list, 'utf8').matchAll(/^(\S+) (\d+)$/gm)].flatMap(([, name = '', pid]) => {
    const identity = identityOf(Number(pid), machine);
    return identity === undefined ? [] : [{name, identity}];
  });
}

/** Who should have ended. An orphan with an empty environment is out of reach without a cgroup: attempts have one. */
function leftAlive(descendants: readonly Descendant[]): readonly string[] {
  const alive = descendants.filter(({identity}) => isAlive(identity, machine));
  for (const {identity} of alive) process.kill(identity.pid, 'SIGKILL');
  return alive.map(({name}) => name).filter(name => name !== 'empty-env');
}

describe('commands', () => {
  test('[CM1] arguments, input, both outputs and the exit code pass unchanged', async () => {
    const result = await runCommand(sh('cat; printf %s "$1" >&2; exit 3', '$(id) ; "x'), {
      ...options,
      input: 'to stdin',
    });
    expect({...result, stdout: String(result.stdout), stderr: String(result.stderr)}).toEqual({
      exitCode: 3,
      signal: null,
      stdout: 'to stdin',
      stderr: '$(id) ; "x',
      droppedBytes: 0,
      endedBy: 'itself',
    });
    expect(await runCommand(sh('kill -TERM $$'), options)).toMatchObject({
      exitCode: null,
      signal: 'SIGTERM',
      endedBy: 'itself',
    });
    expect(await runCommand(['/bin/true'], {...options, input: Buffer.alloc(1_000_000)})).toMatchObject({exitCode: 0});
  });

  test('[CM2] a cancel ends all descendants', async () => {
    const list = join(await temporary(), 'descendants');
    const cancel = new AbortController();
    const running = runCommand(agent('escapes', list), {...options, signal: cancel.signal});
    const started = await until('all descendants', () => {
      const known = descendantsOf(list);
      return known.length === descendantsCount && known;
    });
    cancel.abort();
    expect(await running).toMatchObject({endedBy: 'cancel', exitCode: null, signal: 'SIGKILL'});
    expect(leftAlive(started)).toEqual([]);
    const late = await runCommand(sh('echo never'), {...options, signal: cancel.signal});
    expect(late).toMatchObject({endedBy: 'cancel', exitCode: null});
  });

  test('[CM2] a timeout ends all descendants', async () => {
    // A busy machine may need longer to start them all than the command has: then it gets twice the time.
    let alive: readonly string[] = [];
    for (let timeoutMs = 1_000, count = 0; count < descendantsCount; timeoutMs *= 2) {
      const list = join(await temporary(), 'descendants');
      let started: readonly Descendant[] = [];
      const watch = setInterval(() => {
        if (started.length < descendantsCount) started = descendantsOf(list);
      }, 10);
      const result = await runCommand(agent('escapes', list), {...options, timeoutMs});
      clearInterval(watch);
      count = started.length;
      expect(result).toMatchObject({endedBy: 'timeout', exitCode: null, signal: 'SIGKILL'});
      alive = leftAlive([...started, ...descendantsOf(list)]);
    }
    expect(alive).toEqual([]);
  });

  test('[CM3] output beyond the limit is dropped and counted', async () => {
    const result = await runCommand(agent('floods', '3000000'), {...options, outputBytesMax: 100_000});
    expect(result).toMatchObject({exitCode: 0, droppedBytes: 2_900_000});
    expect(result.stdout.byteLength).toBe(100_000);
  });

  test('[CM4] a background child that keeps the pipes does not keep the command', async () => {
    const result = await runCommand(sh('sleep 600 & echo $!'), options);
    expect(result.exitCode).toBe(0);
    const pid = Number(String(result.stdout));
    await expect.poll(() => identityOf(pid, machine)).toBeUndefined();
  });

  test('[CM5] a missing program is named', async () => {
    await expect(runCommand(['/nowhere/git'], options)).rejects.toMatchObject({
      code: 'executor_unavailable',
      detail: expect.stringContaining('/nowhere/git'),
    });
  });
});

describe('daemons', () => {
  test('[CM6] a daemon outlives the process that started it', async () => {
    const logFile = join(await temporary(), 'log');
    const module = new URL('../../../runner/src/executor/daemonize.ts', import.meta.url).href;
    const argv = sh('echo up; read -r line || echo "no input"; exec sleep 600');
    const script = `const {daemonize} = await import(${JSON.stringify(module)});
      console.log(JSON.stringify(await daemonize(${JSON.stringify(argv)}, ${JSON.stringify({cwd: '/', env: {PATH: '/usr/bin:/bin'}, logFile})})));`;
    const starter = await runCommand([process.execPath, '--input-type=module', '-e', script], options);
    const daemon = JSON.parse(String(starter.stdout)) as {pid: number; pgid: number; logFile: string};
    const entry = machine.processes.read(daemon.pid);
    expect(entry).toMatchObject({groupId: daemon.pgid, sessionId: daemon.pid, isZombie: false});
    expect(daemon.logFile).toBe(logFile);
    expect(await readFile(logFile, 'utf8')).toBe('up\nno input\n');
    process.kill(-daemon.pgid, 'SIGKILL');
  });

  test('[CM7] one that ends at once, or cannot be executed, is an error', async () => {
    const logFile = join(await temporary(), 'log');
    const failing = daemonize(sh('echo "port in use" >&2; exit 4'), {...options, logFile});
    await expect(failing).rejects.toMatchObject({
      code: 'executor_unavailable',
      detail: expect.stringMatching(/code 4: port in use$/),
    });
    await expect(daemonize(['/nowhere/server'], {...options, logFile})).rejects.toMatchObject({
      code: 'executor_unavailable',
    });
  });

  test('[CM8] the log is appended to, and moved aside when it is too long', async () => {
    const logFile = join(await temporary(), 'log');
    await writeFile(logFile, 'before\n');
    for (const [index, logBytesMax] of [100, 10].entries()) {
      const {pgid} = await daemonize(sh('echo "start $1"; exec sleep 600', String(index)), {
        ...options,
        logFile,
        logBytesMax,
      });
      process.kill(-pgid, 'SIGKILL');
    }
    expect(await readFile(`${logFile}.1`, 'utf8')).toBe('before\nstart 0\n');
    expect(await readFile(logFile, 'utf8')).toBe('start 1\n');
    expect((await stat(logFile)).mode & 0o777).toBe(0o600);
  });
});

async function listen(server: Server, port = 0): Promise<number> {
  await new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

/** Nobody listens there: it is below the ports that are given to programs, and kept for a service that died out. */
const closedPort = 1;

describe('waiting for a port', () => {
  test('[CM9] it ends when the port listens', async () => {
    const port = await keptPort();
    const server = createServer(socket => socket.end());
    onTestFinished(() => void server.close());
    let tries = 0;
    const count = (): void => void (tries += 1);
    subscribe('net.client.socket', count);
    onTestFinished(() => void unsubscribe('net.client.socket', count));
    const waiting = waitForPort({port, timeoutMs: 60_000});
    await until('it was tried in vain', () => tries >= 2);
    await listen(server, port);
    expect((await waiting).elapsedMs).toBeGreaterThan(0);
    await waitForPort({port});
  });

  test('[CM9] over HTTP it waits for an answer that is no error', async () => {
    let answers = 0;
    const server = createHttpServer((_request, response) => {
      answers += 1;
      response.writeHead(answers < 3 ? 503 : 200).end();
    });
    const port = await listen(server);
    await waitForPort({port, httpPath: '/health', timeoutMs: 60_000});
    expect(answers).toBe(3);
  });

  test('[CM10] a closed port, and one that only fails, is a port_timeout (T28)', async () => {
    await expect(waitForPort({port: closedPort, timeoutMs: 300})).rejects.toMatchObject({code: 'port_timeout'});
    const port = await listen(createHttpServer((_request, response) => response.writeHead(500).end()));
    await expect(waitForPort({port, httpPath: '/', timeoutMs: 300})).rejects.toMatchObject({code: 'port_timeout'});
    const hanging = await listen(createHttpServer(() => undefined));
    await expect(waitForPort({port: hanging, httpPath: '/', timeoutMs: 300})).rejects.toMatchObject({
      code: 'port_timeout',
    });
  });

  test('[CM11] a cancel ends it with its own reason', async () => {
    const reason = new Error('stop');
    const cancel = new AbortController();
    setTimeout(() => cancel.abort(reason), 50);
    await expect(waitForPort({port: closedPort, signal: cancel.signal})).rejects.toBe(reason);
  });
});
