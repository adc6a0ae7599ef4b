import {spawn, type ChildProcess} from 'node:child_process';
import {once} from 'node:events';

export type Placeholders = {
  /** Base URL of the control plane. */
  readonly url: string;
  /** Enrolment token, good for one enrolment. */
  readonly token: string;
  /** A folder for the state of this runner; the same again when it is started again. */
  readonly state: string;
};

const outputCharactersMax = 20_000;
const endMs = 20_000;

/** The process that is judged: started from a command with placeholders, killed and started again as a scenario wants. */
export class RunnerUnderTest {
  readonly #command: readonly string[];
  readonly #values: Placeholders;
  #child: ChildProcess | undefined;
  output = '';

  constructor(command: readonly string[], values: Placeholders) {
    this.#command = command;
    this.#values = values;
  }

  start(): void {
    const {url, token, state} = this.#values;
    const [program = '', ...args] = this.#command.map(word =>
      word.replaceAll('{url}', url).replaceAll('{token}', token).replaceAll('{state}', state),
    );
    const env = {...process.env, RUNNER_URL: url, RUNNER_TOKEN: token, RUNNER_STATE: state};
    const child = spawn(program, args, {stdio: ['ignore', 'pipe', 'pipe'], env});
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        this.output = `${this.output}${chunk.toString('utf8')}`.slice(-outputCharactersMax);
      });
    child.on('error', error => {
      this.output += `${program} could not be started: ${error.message}\n`;
    });
    this.#child = child;
  }

  /** Undefined while it runs. */
  get ended(): string | undefined {
    const {exitCode = null, signalCode = null, pid} = this.#child ?? {};
    if (pid === undefined) return 'it did not start';
    return exitCode === null && signalCode === null ? undefined : `it ended with ${exitCode ?? signalCode}`;
  }

  /** Ends this one process at once; what it started lives on. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || this.ended !== undefined) return;
    const exited = once(child, 'exit', {signal: AbortSignal.timeout(endMs)});
    child.kill('SIGKILL');
    await exited;
  }
}
