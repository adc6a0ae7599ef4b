import {agents, silenceMs} from '../agent.ts';
import type {Scenario} from '../scenario.ts';
import {busyMs, judge, promptMs, shortConfig, usualConfig, type Attempt, type Trial} from '../trial.ts';
import {settled, unnamed} from './exits.ts';

/** Whatever kills without a runner may look once a second, on a busy machine: the hard kill leaves it the time. */
const deadlineConfig = {...usualConfig, ttl_ms: 9_000, soft_stop_ms: 4_000, hard_kill_ms: 3_500};

const renewalsSeen = 5;

/** Renewing, and what happens when nobody renews. */
export const leaseScenarios: readonly Scenario[] = [
  {
    id: 'renew-names-everything',
    rule: '`renew` is an inventory: it names every held attempt with its phase and the length of its log, until the exit is acknowledged.',
    run: async trial => {
      trial.answers.exit = false;
      await trial.connect();
      const {task, epoch, log} = await trial.running(agents.stubborn);
      await trial.until('what the agent prints', () => trial.plane.logs.log(log).bytes.length > 0);
      const short = await trial.running(agents.talks(3));
      await trial.exit(short);
      const known = trial.said('renew').length;
      const {message} = await trial.hear('renew', undefined, {nth: known + 2});
      const running = message.items.find(item => item.task === task && item.epoch === epoch);
      judge(running?.phase === 'running', `the renewal says ${running?.phase ?? 'nothing'} of the running attempt`);
      judge(running.spool_len > 0, 'spool_len is 0 although the agent has printed');
      const ended = message.items.find(item => item.task === short.task);
      judge(ended !== undefined, 'the renewal leaves out an attempt whose exit is not acknowledged');
      trial.peer().send({t: 'exit_ack', task: short.task, epoch: short.epoch});
      const {message: next} = await unnamed(trial, short);
      judge(
        next.items.some(item => item.task === task),
        'the renewal leaves out the running attempt',
      );
    },
  },
  {
    id: 'cadence-comes-from-welcome',
    rule: 'The time between two renewals is `renew_ms` of the last welcome; none is compiled in.',
    config: {...usualConfig, renew_ms: 300},
    run: async trial => {
      await trial.connect();
      await trial.running(agents.stubborn);
      await beats(trial, 300);
      trial.plane.config = {...trial.plane.config, renew_ms: 2_000};
      trial.peer().cut();
      await trial.session(2);
      await beats(trial, 2_000);
    },
  },
  deadline(
    'deadline-without-renewal',
    'When renewals are not answered, the agent and its children are dead by echo + ttl of the last answer, and no success is reported',
    async trial => trial.plane.stopRenewing(),
  ),
  deadline(
    'deadline-when-not-named',
    'A `renewed` that does not name the attempt extends nothing: the agent is dead by its own deadline',
    async trial => {
      trial.plane.hooks.renews = () => false;
    },
  ),
  deadline(
    'deadline-without-network',
    'Cut off, the agent is dead by its deadline, although the runner finds nobody to ask',
    async trial => {
      trial.plane.hooks.intercept = () => 'cut';
      trial.peer().cut();
    },
  ),
  deadline(
    'deadline-without-runner',
    'When the process of the runner is gone, something else kills the agent by its deadline',
    async trial => trial.runner.kill(),
  ),
  {
    id: 'renewed-lives-on',
    rule: 'A lease that is renewed does not end: the agent lives past its first deadline.',
    config: shortConfig,
    run: async trial => {
      await trial.connect();
      const attempt = await trial.running(agents.stubborn);
      await trial.living(attempt);
      await trial.never(
        'the death of a renewed agent',
        () => attempt.marks.isSilent,
        shortConfig.ttl_ms + silenceMs + 2_000,
      );
    },
  },
  {
    id: 'gone-kills',
    rule: 'After `gone` the agent and its children are dead within two seconds, and the attempt is neither reported nor named again.',
    run: async trial => {
      await trial.connect();
      const attempt = await trial.running(agents.stubborn);
      await trial.living(attempt);
      const {task, epoch} = attempt;
      const saidMs = performance.now();
      trial.peer().send({t: 'gone', task, epoch, why: 'the lease is over'});
      await trial.deadBy(attempt, saidMs + 2_000 + busyMs, 'two seconds after `gone`');
      await settled(trial, attempt);
      judge(trial.said('exit', attempt).length === 0, 'an exit was sent for an attempt that is gone');
    },
  },
];

function deadline(id: string, rule: string, silence: (trial: Trial) => Promise<void>): Scenario {
  return {
    id,
    rule: `${rule}.`,
    config: deadlineConfig,
    run: async trial => {
      await trial.connect();
      const attempt = await trial.running(agents.stubborn);
      await trial.living(attempt);
      // From a fresh lease on, there is time to see a kill that comes too early.
      await trial.hear('renew', undefined, {nth: trial.said('renew').length + 1});
      await silence(trial);
      const fromMs = performance.now();
      const endMs = lastGrantMs(trial, attempt) + deadlineConfig.ttl_ms;
      await trial.never(
        'a kill on silence alone',
        () => attempt.marks.isSilent,
        endMs - fromMs - deadlineConfig.soft_stop_ms,
      );
      await trial.deadBy(attempt, endMs, 'when its lease ends, by the clock of the runner');
      judge(attempt.marks.starts === 1, `the agent was started ${attempt.marks.starts} times`);
      const succeeded = trial.plane.exits.some(({result}) => result.kind === 'succeeded');
      judge(!succeeded, 'an attempt whose lease ran out was reported as succeeded');
    },
  };
}

/** When the message arrived whose `ts` the last grant echoed: the runner sent it before that, so its lease ends earlier. */
function lastGrantMs(trial: Trial, {task, epoch}: Attempt): number {
  let echo = 0;
  for (const line of trial.lines) {
    if (line.kind !== 'message' || line.from !== 'server') continue;
    const {message} = line;
    const isGo = message['t'] === 'go' && message['task'] === task && message['epoch'] === epoch;
    const named = message['t'] === 'renewed' && JSON.stringify(message['items']).includes(task);
    if (isGo || named) echo = Math.max(echo, Number(message['echo']));
  }
  const grants = [...trial.said('accept'), ...trial.said('renew'), ...trial.said('hello')];
  return grants.find(({message}) => message.ts === echo)?.atMs ?? performance.now();
}

/**
 * Judges the pause between renewals by the clock of the runner: a busy machine may delay most of them, hardly all, and
 * brings few closer together. No pause that is compiled in can be right for 300 ms and for 2 s.
 */
async function beats(trial: Trial, everyMs: number): Promise<void> {
  const known = trial.said('renew').length;
  await trial.hear('renew', undefined, {nth: known + renewalsSeen, withinMs: everyMs * renewalsSeen + promptMs});
  const times = trial
    .said('renew')
    .slice(known)
    .map(({message}) => message.ts);
  const gaps = times.slice(1).map((ts, index) => ts - (times[index] ?? 0));
  const median = gaps.toSorted((left, right) => left - right)[Math.floor(gaps.length / 2)] ?? 0;
  judge(
    median > everyMs * 0.6 && Math.min(...gaps) < everyMs * 2.5,
    `renewals come every ${Math.round(median)} ms; the welcome says ${everyMs}`,
  );
}
