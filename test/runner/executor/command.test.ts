import {mkdtemp, readFile, rm, stat, writeFile} from 'node:fs/promises';
import {createServer as createHttpServer} from 'node:http';
import {createServer, type AddressInfo, type Server} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {describe, expect, onTestFinished, test} from 'vitest';
import {runCommand} from '../../../runner/src/executor/command.ts';
import {daemonize} from '../../../runner/src/executor/daemonize.ts';
import {identityOf, isAlive} from '../../../runner/src/executor/process-identity.ts';
import {waitForPort} from '../../../runner/src/executor/wait-for-port.ts';
import {agent, machine} from './host-harness.ts';

const options = {cwd: '/', env: {PATH: '/usr/bin:/bin'}, timeoutMs: 20_000};
const sh = (script: string, ...args: string[]): [string, ...string[]] => ['/bin/sh', '-c', script, 'sh', ...args];

async function temporary(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'switchyard-command-'));
  onTestFinished(() => rm(folder, {recursive: true, force: true}));
  return folder;
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

  test.for(['timeout', 'cancel'] as const)('[CM2] a %s ends all descendants', async endedBy => {
    const list = join(await temporary(), 'descendants');
    await writeFile(list, '');
    const cancel = new AbortController();
    const timeoutMs = endedBy === 'timeout' ? 1_500 : 20_000;
    const running = runCommand(agent('escapes', list), {...options, timeoutMs, signal: cancel.signal});
    await expect
      .poll(async () => (await readFile(list, 'utf8')).split('\n').length, {timeout: 1_400, interval: 10})
      .toBe(6);
    const lines = (await readFile(list, 'utf8'))
      .trim()
      .split('\n')
      .map(line => line.split(' '));
    const descendants = lines.map(([name = '', pid]) => ({name, identity: identityOf(Number(pid), machine)}));
    if (endedBy === 'cancel') cancel.abort();
    expect(await running).toMatchObject({endedBy, exitCode: null, signal: 'SIGKILL'});
    const alive = descendants
      .filter(({identity}) => identity !== undefined && isAlive(identity, machine))
      .map(({name}) => name);
    // An orphan with an empty environment is out of reach without a cgroup: attempts have one, commands do not.
    expect(alive.filter(name => name !== 'empty-env')).toEqual([]);
    for (const {name, identity} of descendants)
      if (alive.includes(name) && identity !== undefined) process.kill(identity.pid, 'SIGKILL');
    expect(
      await runCommand(sh('echo never'), {
        ...options,
        signal: cancel.signal.aborted ? cancel.signal : AbortSignal.abort(),
      }),
    ).toMatchObject({endedBy: 'cancel', exitCode: null});
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
    await expect.poll(() => identityOf(pid, machine), {timeout: 5_000}).toBeUndefined();
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

async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listen(server);
  await new Promise(resolve => server.close(resolve));
  return port;
}

describe('waiting for a port', () => {
  test('[CM9] it ends when the port listens', async () => {
    const port = await freePort();
    const server = createServer(socket => socket.end());
    onTestFinished(() => void server.close());
    setTimeout(() => server.listen(port, '127.0.0.1'), 120);
    expect((await waitForPort({port, timeoutMs: 10_000})).elapsedMs).toBeGreaterThan(100);
    expect((await waitForPort({port})).elapsedMs).toBeLessThan(5_000);
  });

  test('[CM9] over HTTP it waits for an answer that is no error', async () => {
    let answers = 0;
    const server = createHttpServer((_request, response) => {
      answers += 1;
      response.writeHead(answers < 3 ? 503 : 200).end();
    });
    const port = await listen(server);
    await waitForPort({port, httpPath: '/health', timeoutMs: 10_000});
    expect(answers).toBe(3);
  });

  test('[CM10] a closed port, and one that only fails, is a port_timeout (T28)', async () => {
    await expect(waitForPort({port: await freePort(), timeoutMs: 300})).rejects.toMatchObject({code: 'port_timeout'});
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
    await expect(waitForPort({port: await freePort(), signal: cancel.signal})).rejects.toBe(reason);
  });
});
