import {Secrets} from '../../../runner/src/logs/secrets.ts';
import {chanceOf, type Chance} from '../kernel/chance.ts';

/** What no byte that leaves a machine may hold. One spans two lines, one needs every encoding. */
export const needles = [
  'sim-secret-alpha-0017',
  'pa55/w0rd+with "marks" & more',
  'first line of key\nsecond line of key',
] as const;

export const secrets = ((): Secrets => {
  const made = new Secrets();
  made.add([...needles]);
  return made;
})();

/** The forms in which an agent of this world prints a secret. */
const printed: readonly string[] = needles.flatMap(needle => [
  needle.replaceAll('\n', '\n'),
  Buffer.from(needle).toString('base64'),
  encodeURIComponent(needle),
  JSON.stringify(needle).slice(1, -1),
  Buffer.from(needle).toString('hex'),
]);

/** Every text that must not be seen. */
export const forbidden: readonly Buffer[] = [...new Set(printed)].map(text => Buffer.from(text));

export type AgentScript = {
  readonly prepareMs: number;
  readonly runMs: number;
  readonly finishMs: number;
  readonly exitCode: number;
  /** How long it goes on after a SIGTERM; `null`: it does not listen. */
  readonly termMs: number | null;
  /** How long the system takes to end it once it was killed: memory to free, a disk to wait for. */
  readonly dyingMs: number;
  /** What it prints, each at its time after the start. */
  readonly prints: readonly {readonly atMs: number; readonly text: string}[];
  readonly prepareFails: 'not' | 'retryable' | 'final';
};

/** What the agent of one attempt will do, decided by the seed and by which attempt of which task it is. */
export function scriptOf(seed: number, title: string, epoch: number): AgentScript {
  const chance = chanceOf(seed, `agent ${title} e${epoch}`);
  const runMs = chance.isLuck(0.15) ? chance.between(30_000, 150_000) : chance.between(50, 15_000);
  const fate = chance.next();
  return {
    prepareMs: chance.between(5, 800),
    runMs,
    finishMs: chance.between(5, 500),
    exitCode: chance.isLuck(0.12) ? 1 : 0,
    termMs: chance.isLuck(0.25) ? null : chance.between(5, 2_000),
    prints: printsOf(chance, runMs),
    dyingMs: chance.isLuck(0.2) ? chance.between(100, 800) : chance.between(0, 20),
    prepareFails: fate < 0.03 ? 'final' : fate < 0.08 ? 'retryable' : 'not',
  };
}

function printsOf(chance: Chance, runMs: number): AgentScript['prints'] {
  const count = chance.between(0, 6);
  const isLoud = chance.isLuck(0.02);
  return Array.from({length: count}, (_, index) => {
    const text = chance.isLuck(0.35) ? `token ${chance.pick(printed)} used` : 'working';
    const filler = '.'.repeat(isLoud ? chance.between(10_000, 60_000) : chance.between(0, 80));
    return {atMs: Math.floor((runMs * (index + chance.next())) / count), text: `${index} ${text}${filler}\n`};
  });
}
