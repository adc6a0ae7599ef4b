import {generatePrivateJwk, importSigningKey} from '@switchyard/shared/crypto/jws.ts';
import {agents} from '../agent.ts';
import type {Scenario} from '../scenario.ts';
import {judge, seenMs, shortConfig, type Attempt, type Trial} from '../trial.ts';

/** What a runner takes, and what it starts. */
export const offerScenarios: readonly Scenario[] = [
  {
    id: 'offer-starts-nothing',
    rule: 'An offer is answered by `accept` and starts nothing; `go` starts it, once, however often it comes.',
    run: async trial => {
      trial.answers.accept = false;
      await trial.connect();
      const attempt = trial.attempt();
      await trial.offer(attempt, agents.mumbles(10));
      const {message} = await trial.hear('accept', attempt);
      await trial.never('a start before `go`', () => attempt.marks.starts > 0, seenMs);
      for (let times = 0; times < 3; times += 1) trial.go(attempt, message.ts);
      await trial.started(attempt);
      trial.go(attempt, message.ts);
      await trial.exit(attempt);
      judge(attempt.marks.starts === 1, `the agent was started ${attempt.marks.starts} times`);
    },
  },
  refusal('bad-signature-is-refused', 'An envelope that no pinned key signed is refused for good', false, async () => ({
    key: await importSigningKey(await generatePrivateJwk()),
  })),
  refusal('expired-is-refused', 'An envelope past its `exp` is refused as retryable', true, async () => {
    const nowS = Math.floor(Date.now() / 1_000);
    return {claims: {iat: nowS - 120, exp: nowS - 60}};
  }),
  refusal(
    'other-runner-is-refused',
    'An envelope whose `aud` is another runner is refused for good',
    false,
    async () => ({
      claims: {aud: 'rnr_01jd0000000000000000000009'},
    }),
  ),
  refusal(
    'other-attempt-is-refused',
    'An envelope for another epoch than its offer is refused for good',
    false,
    async () => ({
      claims: {epoch: 7},
    }),
  ),
  refusal(
    'unknown-claim-is-refused',
    'A signed claim that the runner does not know may restrict it: refused for good',
    false,
    async () => ({
      claims: {only_on: 'tuesdays'},
    }),
  ),
  refusal(
    'other-spec-is-refused',
    'A spec that does not have the signed hash is refused for good',
    false,
    async () => ({
      claims: {spec_sha256: '0'.repeat(64)},
    }),
  ),
  {
    id: 'spent-epoch-is-refused',
    rule: 'An epoch that began on this machine, and every lower one of the same task, never begins again: the offer is rejected or left without an accept.',
    run: async trial => {
      await trial.connect();
      const second = trial.attempt(2);
      await trial.offer(second, agents.talks(1));
      await trial.exit(second);
      const first = trial.attempt(1, second);
      const again = trial.attempt(2, second);
      await notStarted(trial, first);
      await notStarted(trial, again);
    },
  },
  {
    id: 'unknown-go-is-ignored',
    rule: 'A `go` for what was never offered, or never accepted, starts nothing and ends nothing.',
    run: async trial => {
      await trial.connect();
      const attempt = await trial.running(agents.mumbles(8));
      const other = trial.attempt();
      trial.go(other, trial.said('accept')[0]?.message.ts ?? 0);
      const exit = await trial.exit(attempt);
      judge(exit.result.kind === 'succeeded', `the other attempt ended as ${exit.result.kind}`);
      judge(trial.said('phase', other).length === 0, 'the runner reports a phase of an attempt that it never accepted');
      judge(trial.plane.hellos.length === 1, 'the runner left the session');
    },
  },
  {
    id: 'credit-is-kept',
    rule: 'Never more attempts than the stated slots are held: an offer beyond them is rejected as retryable.',
    run: async trial => {
      const {slots} = await trial.connect();
      const count = Object.values(slots).reduce((sum, each) => sum + each, 0);
      judge(count <= 8, `the runner states ${count} slots: start it with at most 8 for this check`);
      const attempts = Array.from({length: count + 2}, () => trial.attempt());
      for (const attempt of attempts) await trial.offer(attempt, agents.stubborn);
      await trial.until('an answer to every offer', () =>
        attempts.every(attempt => trial.said('accept', attempt).length > 0 || trial.said('reject', attempt).length > 0),
      );
      const rejects = trial.said('reject');
      judge(
        rejects.length === 2,
        `${rejects.length} of ${attempts.length} offers were rejected; ${count} slots are stated`,
      );
      judge(
        rejects.every(({message}) => message.retryable),
        'a full runner must reject as retryable',
      );
    },
  },
  {
    id: 'old-go-is-too-late',
    rule: 'A `go` whose echo and ttl are in the past starts nothing: the lease is counted from the accept and not from the receipt.',
    config: {...shortConfig, ttl_ms: 1_500, soft_stop_ms: 400, renew_ms: 10_000},
    run: async trial => {
      trial.answers.accept = false;
      await trial.connect();
      const attempt = trial.attempt();
      await trial.offer(attempt, agents.talks(1));
      const {message} = await trial.hear('accept', attempt);
      await trial.never('a start without `go`', () => attempt.marks.starts > 0, seenMs);
      trial.go(attempt, message.ts);
      await trial.never('a start by a `go` that is too late', () => attempt.marks.starts > 0, seenMs);
    },
  },
  {
    id: 'foreign-echo-is-refused',
    rule: 'A `go` with an echo of the future would make a lease without end: it starts nothing.',
    run: async trial => {
      trial.answers.accept = false;
      await trial.connect();
      const attempt = trial.attempt();
      await trial.offer(attempt, agents.talks(1));
      const {message} = await trial.hear('accept', attempt);
      trial.go(attempt, message.ts + 3_600_000);
      await trial.never('a start by a foreign echo', () => attempt.marks.starts > 0, seenMs);
    },
  },
];

type Wrong = Parameters<Trial['offer']>[2];

function refusal(id: string, rule: string, retryable: boolean, wrong: () => Promise<Wrong>): Scenario {
  return {
    id,
    rule: `${rule}; nothing starts, not even on \`go\`.`,
    run: async trial => {
      await trial.connect();
      const attempt = trial.attempt();
      await trial.offer(attempt, agents.talks(1), await wrong());
      const answer = await trial.until(
        'an answer to the offer',
        () => trial.said('reject', attempt)[0] ?? trial.said('accept', attempt)[0],
      );
      judge(answer.message.t === 'reject', 'the runner accepted it');
      judge(
        answer.message.retryable === retryable,
        `the reject must ${retryable ? '' : 'not '}be retryable: ${JSON.stringify(answer.message)}`,
      );
      trial.go(attempt, answer.atMs);
      await trial.never('a start of what was rejected', () => attempt.marks.starts > 0, 700);
    },
  };
}

/** Offers it and says `go` to whatever the runner answers: nothing may start. */
async function notStarted(trial: Trial, attempt: Attempt): Promise<void> {
  const known = trial.said('accept', attempt).length;
  const starts = attempt.marks.starts;
  await trial.offer(attempt, agents.talks(1));
  await trial.never(
    `a start of epoch ${attempt.epoch} after epoch 2 began`,
    () => attempt.marks.starts > starts,
    seenMs,
  );
  judge(
    trial.said('accept', attempt).length === known,
    `the runner accepted epoch ${attempt.epoch} after epoch 2 began`,
  );
}
