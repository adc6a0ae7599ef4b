import type {Scenario} from '../scenario.ts';
import {agents} from '../agent.ts';
import {busyMs, judge, promptMs} from '../trial.ts';

/** How a session is opened, and how it ends. */
export const sessionScenarios: readonly Scenario[] = [
  {
    id: 'hello-proves-the-key',
    rule: 'A session is opened with a connect token and the subprotocol; the first message answers the challenge with a signature of the enrolled key, and offers protocol 1.',
    run: async trial => {
      const hello = await trial.connect();
      judge(hello.protocols.includes(1), `hello.protocols is ${JSON.stringify(hello.protocols)}: 1 is missing`);
      judge(hello.inventory.length === 0, 'a new runner holds nothing');
      const slots = Object.values(hello.slots).reduce((sum, count) => sum + count, 0);
      judge(slots >= 1, 'hello.slots states no slot');
    },
  },
  {
    id: 'unknown-is-ignored',
    rule: 'A message of an unknown type and an unknown field of a known message change nothing: the rest of the frame counts.',
    run: async trial => {
      await trial.connect();
      trial.answers.accept = false;
      const attempt = trial.attempt();
      trial.peer().sendUnchecked({t: 'from_tomorrow', task: attempt.task}, {t: 'resume', until: {a: [1]}});
      await trial.offer(attempt, agents.talks(1));
      const {message} = await trial.hear('accept', attempt);
      const {task, epoch} = attempt;
      const go = {t: 'go', task, epoch, echo: message.ts, log_ticket: 'ticket', region: 'here'};
      trial.peer().sendUnchecked({t: 'weather', is: 'fine'}, go);
      const exit = await trial.exit(attempt);
      judge(exit.result.kind === 'succeeded', `the attempt ended as ${exit.result.kind}`);
      judge(trial.plane.hellos.length === 1, 'the runner left the session');
    },
  },
  {
    id: 'connects-again',
    rule: 'After a cut the runner connects again with a new session, names what it holds, and what is kept goes on: no second start, the same attempt.',
    run: async trial => {
      const first = await trial.connect();
      const attempt = await trial.running(agents.stubborn);
      await trial.living(attempt);
      await trial.until('a renewal that says `running`', () =>
        trial
          .said('renew')
          .some(({message}) => message.items.some(item => item.task === attempt.task && item.phase === 'running')),
      );
      trial.peer().cut();
      const second = await trial.session(2);
      judge(second.session !== first.session, 'the new session has the id of the old one');
      const [item] = second.inventory;
      const {task, epoch} = attempt;
      judge(second.inventory.length === 1, `the inventory names ${second.inventory.length} attempts instead of 1`);
      judge(item?.task === task && item.epoch === epoch, 'the inventory names another attempt');
      judge(item.phase === 'running', `the inventory says ${item.phase} of a running attempt`);
      await trial.hear('renew', undefined, {nth: trial.said('renew').length + 2});
      await trial.livesOn(attempt, 'the agent of a kept attempt is dead');
      judge(attempt.marks.starts === 1, `the agent was started ${attempt.marks.starts} times`);
    },
  },
  {
    id: 'replaced-does-not-fight',
    rule: 'Closed with 4409, the runner leaves the newer session alone: it does not connect again for at least ten seconds.',
    run: async trial => {
      await trial.connect();
      trial.peer().close(4409, 'a newer session');
      await trial.never('a new connection after 4409', () => connections(trial) > 1, 10_000);
    },
  },
  {
    id: 'revoked-stops',
    rule: 'Closed with 4403, the runner kills what it holds within two seconds and does not connect again.',
    run: async trial => {
      await trial.connect();
      const attempt = await trial.running(agents.stubborn);
      await trial.living(attempt);
      const closedMs = performance.now();
      trial.peer().close(4403, 'revoked');
      await trial.deadBy(attempt, closedMs + 2_000 + busyMs, 'two seconds after the runner was revoked');
      await trial.never('a new connection after 4403', () => connections(trial) > 1, 3_000);
    },
  },
  {
    id: 'too-old-stops',
    rule: 'Closed with 4426, the runner does not connect again and says on its output that its protocol is not supported.',
    run: async trial => {
      trial.plane.hooks.welcomes = (_hello, peer) => {
        peer.close(4426, 'the server speaks protocol 7');
        return false;
      };
      await trial.connect();
      await trial.until('a word about the protocol on the output', () => /protocol/i.test(trial.runner.output));
      await trial.never('a new connection after 4426', () => connections(trial) > 1, 3_000);
    },
  },
  {
    id: 'silent-server-is-left',
    rule: 'A server that closes without a code is only away: the runner tries again for ever, and holds on to its attempts meanwhile.',
    run: async trial => {
      await trial.connect();
      const attempt = await trial.running(agents.stubborn);
      await trial.living(attempt);
      trial.plane.hooks.intercept = () => ({status: 503});
      trial.peer().cut();
      const refused = (): number => trial.lines.filter(({kind}) => kind === 'refused').length;
      await trial.until('a third try to connect', () => refused() >= 3, promptMs * 4);
      await trial.livesOn(attempt, 'the agent was killed on silence, before its lease ran out');
      trial.plane.hooks.intercept = () => undefined;
      await trial.session(2, 40_000);
      judge(attempt.marks.starts === 1, `the agent was started ${attempt.marks.starts} times`);
    },
  },
];

type Told = {readonly lines: readonly {readonly kind: string; readonly on: string; readonly from: string}[]};

/** Doors of sessions that were opened or knocked at. */
function connections({lines}: Told): number {
  return lines.filter(({kind, on, from}) => on === 'control' && from === 'runner' && isKnock(kind)).length;
}

const isKnock = (kind: string): boolean => kind === 'opened' || kind === 'refused';
