import {writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {agents} from '../agent.ts';
import type {Scenario} from '../scenario.ts';
import {busyMs, judge} from '../trial.ts';
import {whole} from './logs.ts';

/** What people ask for while an attempt runs. */
export const orderScenarios: readonly Scenario[] = [
  {
    id: 'cancel-ends',
    rule: 'A cancelled agent is asked to stop, is dead two seconds after its grace at the latest, and exits as `cancelled` with a whole log.',
    run: async trial => {
      await trial.connect();
      const attempt = await trial.running(agents.stubborn);
      await trial.living(attempt);
      const {task, epoch} = attempt;
      const saidMs = performance.now();
      trial.peer().send({t: 'cancel', task, epoch, grace_ms: 500, reason: 'not wanted any more'});
      await trial.deadBy(attempt, saidMs + 2_500 + busyMs, 'two seconds after the grace of its cancel');
      const {result} = await trial.exit(attempt);
      judge(result.kind === 'cancelled', `a cancelled attempt is reported as ${result.kind}`);
    },
  },
  {
    id: 'drain-takes-nothing',
    rule: 'After `drain` offers are rejected as retryable, what is held goes on and is renewed; after `resume` offers are taken again.',
    run: async trial => {
      await trial.connect();
      const held = await trial.running(agents.talksTwice(5));
      trial.peer().send({t: 'drain'});
      const late = trial.attempt();
      await trial.offer(late, agents.talks(1));
      const reject = await trial.rejected(late);
      judge(reject.retryable, 'a draining runner must reject as retryable');
      const known = trial.said('renew').length;
      const {message} = await trial.hear('renew', undefined, {nth: known + 1});
      judge(
        message.items.some(({task}) => task === held.task),
        'a draining runner does not renew what it holds',
      );
      writeFileSync(join(held.marks.folder, 'more'), '');
      await whole(trial, held, 10);
      trial.peer().send({t: 'resume'});
      const next = trial.attempt();
      await trial.offer(next, agents.talks(1));
      await whole(trial, next, 1);
    },
  },
  {
    id: 'input-is-acknowledged',
    rule: 'Each `input` is answered by `input_ack` with its number, the same one again by the same answer; whether the agent takes input is its own affair.',
    run: async trial => {
      await trial.connect();
      const attempt = await trial.running(agents.stubborn);
      await trial.living(attempt);
      await trial.until('the phase `running`', () =>
        trial.said('phase', attempt).some(({message}) => message.phase === 'running'),
      );
      const {task, epoch} = attempt;
      const say = (seq: number): void => trial.peer().send({t: 'input', task, epoch, seq, data: 'hello'});
      say(1);
      const {message: first} = await trial.hear('input_ack', attempt);
      judge(first.seq === 1, `input 1 was acknowledged as ${first.seq}`);
      say(1);
      const {message: again} = await trial.hear('input_ack', attempt, {nth: 2});
      judge(again.seq === 1 && again.delivered === first.delivered, 'the same input got another answer');
      say(2);
      const {message: second} = await trial.hear('input_ack', attempt, {nth: 3});
      judge(second.seq === 2, `input 2 was acknowledged as ${second.seq}`);
    },
  },
];
