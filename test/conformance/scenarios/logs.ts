import {limits} from '@switchyard/shared/policy/limits.ts';
import type {Line} from '../../fixtures/conversation.ts';
import type {LogDoor} from '../../fixtures/log-desk.ts';
import type {ArrivedFrame} from '../../fixtures/stored-log.ts';
import {agents, marksIn} from '../agent.ts';
import type {Scenario} from '../scenario.ts';
import {judge, promptMs, seenMs, ticketOf, type Attempt, type Trial} from '../trial.ts';

/** About 700 kB: more than two windows. */
const manyLines = 12_000;
/** About 12 kB. */
const someLines = 200;

/** How the bytes of an agent come home. */
export const logScenarios: readonly Scenario[] = [
  {
    id: 'log-is-whole',
    rule: 'The log is opened with the ticket of `go`; its frames continue each other from offset 0, none longer than 64 KiB, and `end` names the length and SHA-256 of all of it.',
    run: async trial => {
      await trial.connect();
      const attempt = await trial.running(agents.talks(manyLines));
      await whole(trial, attempt, manyLines);
      const opened = trial.lines.find(({kind, on}) => kind === 'opened' && on === `log ${attempt.log}`);
      const ticket = opened !== undefined && 'detail' in opened ? opened.detail : '';
      judge(ticket === ticketOf(attempt), `the log was opened with the ticket ${JSON.stringify(ticket)}`);
      continuous(trial, attempt);
    },
  },
  {
    id: 'log-window-is-kept',
    rule: 'Never more than 256 KiB are sent beyond what was acknowledged; with the acknowledgement the rest follows.',
    run: async trial => {
      const held: {door: LogDoor; len: number}[] = [];
      trial.plane.logs.hooks.frame = (frame, door) => {
        door.log.append(frame);
        held.push({door, len: door.log.bytes.length});
        return true;
      };
      await trial.connect();
      const attempt = await trial.running(agents.talks(manyLines));
      const stored = (): number => trial.plane.logs.log(attempt.log).bytes.length;
      await trial.until('a full window of frames', () => stored() > limits.logWindowBytesMax / 2);
      await trial.never('more than the window', () => stored() > limits.logWindowBytesMax, seenMs);
      trial.plane.logs.hooks.frame = () => false;
      const last = held.at(-1);
      last?.door.say({t: 'ack', len: last.len});
      await whole(trial, attempt, manyLines);
    },
  },
  {
    id: 'log-nack-goes-back',
    rule: 'After `nack` the runner goes on from the length that it names, and every byte arrives.',
    run: async trial => {
      let lost = 0;
      trial.plane.logs.hooks.frame = ({offset}) => {
        // The second frame is lost; the log says so when the third one leaves a gap.
        if (offset === 0 || lost > 0) return false;
        lost += 1;
        return true;
      };
      await trial.connect();
      const attempt = await trial.running(agents.talks(manyLines));
      await whole(trial, attempt, manyLines);
      judge(lost === 1, 'the runner sent the log in one frame');
      const isTold = trial.lines.some(line => line.kind === 'message' && line.message['t'] === 'nack');
      judge(isTold, 'no frame came after the lost one');
    },
  },
  {
    id: 'log-old-ack-is-harmless',
    rule: 'An acknowledgement that comes twice, or late, changes nothing: nothing is skipped, and nothing is sent again.',
    run: async trial => {
      trial.plane.logs.hooks.frame = (frame, door) => {
        const answer = door.log.append(frame);
        for (const len of [0, door.log.bytes.length, 1]) door.say({t: 'ack', len});
        door.say(answer);
        return true;
      };
      await trial.connect();
      const attempt = await trial.running(agents.talks(manyLines));
      await whole(trial, attempt, manyLines);
      continuous(trial, attempt);
    },
  },
  {
    id: 'log-resumes',
    rule: 'After a cut the runner opens the log again and goes on exactly at the length that `state` names.',
    run: async trial => {
      let cuts = 0;
      const greeted: number[] = [];
      trial.plane.logs.hooks.frame = (frame, door) => {
        if (cuts > 0) return false;
        cuts += 1;
        // Half of the first frame is stored, nothing is said, and the network goes.
        door.log.append({offset: frame.offset, bytes: frame.bytes.subarray(0, Math.ceil(frame.bytes.length / 2))});
        greeted.push(door.log.bytes.length);
        door.cut();
        return true;
      };
      await trial.connect();
      const attempt = await trial.running(agents.talks(manyLines));
      await whole(trial, attempt, manyLines);
      const [, next] = doorsOf(trial, attempt);
      const first = framesOf(trial, attempt).find(({atMs}) => atMs > (next ?? Infinity));
      judge(first?.frame.offset === greeted[0], `the log went on at ${first?.frame.offset} and not at ${greeted[0]}`);
    },
  },
  {
    id: 'log-unknown-is-ignored',
    rule: 'A message of the log of an unknown type, or with an unknown field, changes nothing.',
    run: async trial => {
      trial.plane.logs.hooks.frame = (frame, door) => {
        door.sayUnchecked({t: 'weather', is: 'fine'});
        door.sayUnchecked({...door.log.append(frame), region: 'here'});
        return true;
      };
      await trial.connect();
      const attempt = await trial.running(agents.talks(someLines));
      await whole(trial, attempt, someLines);
      judge(doorsOf(trial, attempt).length === 1, 'the runner opened the log again');
    },
  },
];

type Framed = Extract<Line, {kind: 'frame'}> & {readonly frame: ArrivedFrame};

function framesOf({lines}: Trial, {log}: Attempt): readonly Framed[] {
  return lines.filter(line => line.kind === 'frame').filter(({on}) => on === `log ${log}`);
}

/** Each frame begins where the one before it ended. */
function continuous(trial: Trial, attempt: Attempt): void {
  let end = 0;
  for (const {frame} of framesOf(trial, attempt)) {
    judge(frame.offset === end, `a frame begins at ${frame.offset}; ${end} was to come`);
    judge(frame.bytes.length <= limits.logChunkBytesMax, `a frame holds ${frame.bytes.length} bytes`);
    end += frame.bytes.length;
  }
}

/** When each connection to the log of this attempt was opened. */
function doorsOf({lines}: Trial, {log}: Attempt): readonly number[] {
  return lines.filter(({kind, on}) => kind === 'opened' && on === `log ${log}`).map(({atMs}) => atMs);
}

/** The attempt has ended well, its log is sealed, and holds each printed line once and in order. */
export async function whole(trial: Trial, attempt: Attempt, lines: number): Promise<void> {
  const exit = await trial.exit(attempt, promptMs * 4);
  judge(exit.result.kind === 'succeeded', `the attempt ended as ${JSON.stringify(exit.result)}`);
  const {bytes} = trial.plane.logs.log(attempt.log);
  judge(exit.log_len === bytes.length, `the exit says ${exit.log_len} bytes of log; ${bytes.length} are stored`);
  judge(
    exit.log_receipt === `receipt-${bytes.length}`,
    `the exit holds the receipt ${JSON.stringify(exit.log_receipt)}`,
  );
  const marks = marksIn(bytes.toString('utf8'));
  const wrong = marks.findIndex((mark, index) => mark !== index + 1);
  judge(wrong === -1, `line ${wrong + 1} of the log is the ${marks[wrong]}. that the agent printed`);
  judge(marks.length === lines, `the log holds ${marks.length} of the ${lines} lines that the agent printed`);
}
