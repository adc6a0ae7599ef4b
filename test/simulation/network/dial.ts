import {limits} from '@switchyard/shared/policy/limits.ts';
import {Connection, type End} from './connection.ts';
import type {Line} from './line.ts';

/** What the server does with a connection that comes in; `undefined`: it takes it, else the reason why it does not. */
export type Doorman<Up, Down> = (connect: (server: End<Up>, id: string) => Connection<Up, Down>) => Refused | undefined;

export type Refused = {readonly refused: 'unauthorized' | 'revoked' | 'clock'};

export type Dialling<Up, Down> = {
  readonly line: Line;
  readonly end: End<Down>;
  readonly doorman: Doorman<Up, Down>;
  /** Before the first message of the server. */
  readonly opened: (connection: Connection<Up, Down>) => void;
  readonly failed: (why: Refused | 'unreachable') => void;
};

/** Opens a connection over this line: the request has to get there, and the answer back, within the handshake's time. */
export function dial<Up, Down>({line, end, doorman, opened, failed}: Dialling<Up, Down>): void {
  const {timeline} = line;
  let isOver = false;
  let made: Connection<Up, Down> | undefined;
  const settle = (run: () => void): void => {
    if (isOver) return;
    isOver = true;
    run();
  };
  timeline.after(limits.httpTimeoutMs, () =>
    settle(() => {
      made?.abandonAtMachine(true);
      failed('unreachable');
    }),
  );
  const knock = (): void => {
    const untilMs = line.blockedUntilMs('up');
    if (untilMs > timeline.nowMs) {
      line.onEffect('partition');
      timeline.at(untilMs, knock);
      return;
    }
    if (isOver) return;
    const refusal = doorman((server, id) => {
      const machine: End<Down> = {
        frame: frame => {
          const {connection} = {connection: made};
          if (connection !== undefined) settle(() => opened(connection));
          end.frame(frame);
        },
        closed: (code, why) => {
          const {connection} = {connection: made};
          if (connection !== undefined) settle(() => opened(connection));
          end.closed(code, why);
        },
      };
      made = new Connection(id, line, {server, machine});
      return made;
    });
    if (refusal !== undefined) timeline.after(line.latencyMs(), () => settle(() => failed(refusal)));
  };
  timeline.after(line.latencyMs(), knock);
}
