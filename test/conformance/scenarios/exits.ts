import {agents} from '../agent.ts';
import type {Scenario} from '../scenario.ts';
import {judge, type Attempt, type Trial} from '../trial.ts';
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
      await trial.never('an exit before the log is sealed', () => trial.said('exit', attempt).length > 0, 1_000);
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
      await trial.deadBy(attempt, performance.now() + 2_000, 'two seconds after the verdict `kill`');
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

/** Two renewals later nothing names the attempt any more, and its exit was not sent again. */
async function settled(trial: Trial, {task, epoch}: Attempt): Promise<void> {
  const exits = trial.said('exit', {task, epoch}).length;
  const renewals = trial.said('renew').length;
  const {message} = await trial.hear('renew', undefined, {nth: renewals + 4});
  judge(
    message.items.every(item => item.task !== task),
    'a renewal names an attempt that is settled',
  );
  judge(trial.said('exit', {task, epoch}).length === exits, 'the exit of a settled attempt was sent again');
}
