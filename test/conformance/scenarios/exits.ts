import {agents} from '../agent.ts';
import type {Scenario} from '../scenario.ts';
import {busyMs, judge, seenMs, type Attempt, type Heard, type Ref, type Trial} from '../trial.ts';
import {whole} from './logs.ts';

/** How the end of an attempt is reported. */
export const exitScenarios: readonly Scenario[] = [
  {
    id: 'exit-follows-the-seal',
    rule: 'The exit is sent only after the log is sealed; its record is signed by the runner and holds length, hash and receipt.',
    run: async trial => {
      const ends: (() => void)[] = [];
      trial.plane.logs.hooks.end = (end, door) => {
        ends.push(() => door.say(door.log.end(end)));
        return true;
      };
      await trial.connect();
      const attempt = await trial.running(agents.talks(50));
      await trial.until('the end of the log', () => ends.length > 0);
      await trial.never('an exit before the log is sealed', () => trial.said('exit', attempt).length > 0, seenMs);
      trial.plane.logs.hooks.end = () => false;
      ends.at(-1)?.();
      await whole(trial, attempt, 50);
    },
  },
  {
    id: 'exit-code-is-told',
    rule: 'An agent that ends with a code of its own has failed; the record holds the code.',
    run: async trial => {
      await trial.connect();
      const {result, exit_code: code} = await trial.exit(await trial.running(agents.fails));
      judge(result.kind === 'failed', `an agent that ended with 3 is reported as ${result.kind}`);
      judge(code === 3, `the record says that it ended with ${code} instead of 3`);
    },
  },
  {
    id: 'exit-is-sent-again',
    rule: 'An exit is sent again, in the session and after a reconnect, until it is acknowledged; afterwards it is not.',
    run: async trial => {
      const attempt = await unacknowledged(trial);
      await trial.hear('exit', attempt, {nth: 2});
      trial.peer().cut();
      const {inventory} = await trial.session(2);
      judge(
        inventory.some(({task}) => task === attempt.task),
        'the hello leaves out an attempt whose exit is open',
      );
      const known = trial.said('exit', attempt).length;
      await trial.hear('exit', attempt, {nth: known + 1});
      trial.peer().send({t: 'exit_ack', task: attempt.task, epoch: attempt.epoch});
      await settled(trial, attempt);
    },
  },
  {
    id: 'exit-nack-is-answered',
    rule: 'After `exit_nack` the exit is completed and sent again.',
    run: async trial => {
      const attempt = await unacknowledged(trial);
      const {task, epoch} = attempt;
      const known = trial.said('exit', attempt).length;
      trial.peer().send({t: 'exit_nack', task, epoch, why: 'bad_signature'});
      await trial.hear('exit', attempt, {nth: known + 1});
      trial.peer().send({t: 'exit_ack', task, epoch});
      await settled(trial, attempt);
    },
  },
  {
    id: 'verdict-kill-kills',
    rule: 'The verdict `kill` is obeyed within two seconds of the welcome, and the attempt is not reported.',
    run: async trial => {
      await trial.connect();
      const attempt = await trial.running(agents.stubborn);
      await trial.living(attempt);
      trial.plane.hooks.verdict = () => 'kill';
      trial.peer().cut();
      await trial.session(2);
      await trial.deadBy(attempt, performance.now() + 2_000 + busyMs, 'two seconds after the verdict `kill`');
      judge(trial.said('exit', attempt).length === 0, 'an exit was sent for what was to be killed');
      await settled(trial, attempt);
    },
  },
  {
    id: 'verdict-send-exit-sends',
    rule: 'The verdict `send_exit` is answered by the exit.',
    run: async trial => {
      const attempt = await unacknowledged(trial);
      // The exit may follow its verdict before this scenario runs on: it is acknowledged from the verdict on.
      trial.plane.hooks.verdict = () => {
        trial.answers.exit = true;
        return 'send_exit';
      };
      trial.peer().cut();
      const {inventory} = await trial.session(2);
      const phase = inventory.find(({task}) => task === attempt.task)?.phase;
      judge(phase === 'exited' || phase === 'reported', `the hello says ${phase} of an attempt that has ended`);
      const [, again] = trial.said('hello');
      await trial.until('the exit in the new session', () =>
        trial.said('exit', attempt).some(({atMs}) => atMs >= (again?.atMs ?? Infinity)),
      );
      await settled(trial, attempt);
    },
  },
  {
    id: 'verdict-forget-forgets',
    rule: 'After the verdict `forget` the exit is in: it is not sent again, and the attempt is not named.',
    run: async trial => {
      const attempt = await unacknowledged(trial);
      trial.plane.hooks.verdict = () => 'forget';
      trial.peer().cut();
      await trial.session(2);
      await settled(trial, attempt);
      const [, again] = trial.said('hello');
      const late = trial.said('exit', attempt).filter(({atMs}) => atMs >= (again?.atMs ?? 0));
      judge(late.length === 0, 'the exit was sent again in the session whose welcome says `forget`');
    },
  },
];

/** An attempt that has ended and was reported, and whose exit the server does not acknowledge. */
async function unacknowledged(trial: Trial): Promise<Attempt> {
  trial.answers.exit = false;
  await trial.connect();
  const attempt = await trial.running(agents.talks(5));
  await trial.exit(attempt);
  return attempt;
}

/** The first renewal from here on that does not name the attempt: whatever ended it has reached the runner by then. */
export async function unnamed(trial: Trial, {task, epoch}: Ref): Promise<Heard<'renew'>> {
  const known = trial.said('renew').length;
  return trial.until(`a renewal that does not name e${epoch} of ${task}`, () =>
    trial
      .said('renew')
      .slice(known)
      .find(({message}) => message.items.every(item => item.task !== task)),
  );
}

/** Nothing names the attempt any more, and its exit is not sent again. */
export async function settled(trial: Trial, attempt: Ref): Promise<void> {
  const {atMs: fromMs} = await unnamed(trial, attempt);
  await trial.hear('renew', undefined, {nth: trial.said('renew').length + 3});
  const later = trial.said('renew').filter(({atMs}) => atMs > fromMs);
  judge(
    later.every(({message}) => message.items.every(({task}) => task !== attempt.task)),
    'a renewal names an attempt that is settled',
  );
  judge(
    trial.said('exit', attempt).every(({atMs}) => atMs < fromMs),
    'the exit of a settled attempt was sent again',
  );
}
