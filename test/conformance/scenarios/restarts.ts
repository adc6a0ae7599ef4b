import {writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {agents} from '../agent.ts';
import type {Scenario} from '../scenario.ts';
import {judge, promptMs, seenMs} from '../trial.ts';
import {unnamed} from './exits.ts';
import {whole} from './logs.ts';

/** The process of the runner is killed with SIGKILL and started again with the same state. */
export const restartScenarios: readonly Scenario[] = [
  {
    id: 'restart-keeps-the-attempt',
    rule: 'A runner that was killed while an agent ran names the attempt in its next hello, starts nothing twice, and brings the whole log home.',
    run: async trial => {
      await trial.connect();
      const attempt = await trial.running(agents.talksTwice(100));
      await trial.until('the first part of the log', () => trial.plane.logs.log(attempt.log).bytes.length > 0);
      await trial.runner.kill();
      const {inventory} = await trial.connect();
      judge(
        inventory.some(({task}) => task === attempt.task),
        'the new process does not name the attempt',
      );
      writeFileSync(join(attempt.marks.folder, 'more'), '');
      await whole(trial, attempt, 200);
      judge(attempt.marks.starts === 1, `the agent was started ${attempt.marks.starts} times`);
    },
  },
  {
    id: 'restart-reports-the-end',
    rule: 'What ended while no runner was alive is reported by the next one, with the code and the whole log.',
    run: async trial => {
      await trial.connect();
      const attempt = await trial.running(agents.mumbles(6));
      await trial.runner.kill();
      await trial.never('another start', () => attempt.marks.starts > 1, seenMs);
      await trial.connect();
      await whole(trial, attempt, 6);
      await trial.never('another start of what has ended', () => attempt.marks.starts > 1, seenMs);
    },
  },
  {
    id: 'restart-remembers-epochs',
    rule: 'Which epochs began is remembered over a restart: the same offer again is not accepted.',
    run: async trial => {
      await trial.connect();
      const attempt = await trial.running(agents.talks(1));
      await trial.exit(attempt);
      await unnamed(trial, attempt);
      await trial.runner.kill();
      await trial.connect();
      await trial.offer(attempt, agents.talks(1));
      await trial.never('a second start of one epoch', () => attempt.marks.starts > 1, seenMs);
      judge(trial.said('accept', attempt).length === 1, 'an epoch that began was accepted again');
    },
  },
  {
    id: 'restart-before-go-starts-nothing',
    rule: 'An accept of an earlier process is no lease: without a new `go` the next process starts nothing.',
    run: async trial => {
      trial.answers.accept = false;
      await trial.connect();
      const attempt = trial.attempt();
      await trial.offer(attempt, agents.talks(1));
      const {message} = await trial.hear('accept', attempt);
      await trial.runner.kill();
      await trial.connect();
      trial.go(attempt, message.ts - 1);
      await trial.never('a start by a `go` of before', () => attempt.marks.starts > 0, seenMs);
    },
  },
];

/** The same messages where a network breaks WebSockets. */
export const pollScenarios: readonly Scenario[] = [
  {
    id: 'polling-works',
    rule: 'Where every WebSocket is refused and requests pass, the same messages travel by `POST /v1/runner/poll`, and the log by `POST /v1/runner/log/:task`.',
    run: async trial => {
      trial.plane.hooks.intercept = ({headers}) => (headers.upgrade === undefined ? undefined : {status: 502});
      await trial.connect();
      judge(trial.peer().transport === 'poll', 'the session is not one of requests');
      const attempt = trial.attempt();
      await trial.offer(attempt, agents.talks(100));
      await trial.started(attempt, promptMs * 2);
      await trial.exit(attempt, 60_000);
      await whole(trial, attempt, 100);
    },
  },
];
