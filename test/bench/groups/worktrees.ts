import {randomBytes} from 'node:crypto';
import {join} from 'node:path';
import {aims, type Aim} from '../aims.ts';
import {compare, failures, type Wanted} from '../compare.ts';
import {loopDisk} from '../loop-disk.ts';
import {interleave, nowUs, progress, type Figures, type Measured, type Rhythm} from '../measure.ts';
import type {Outcome, Row} from '../report.ts';
import {plainTrees, switchyardTrees, type Trees} from '../sides/worktrees.ts';
import {switchyardName} from '../sides/switchyard.ts';
import {makeRepository} from '../synthetic-repository.ts';

const plain = 'git worktree';
const parallel = 10;

/** Trees of a synthetic repository: one after the other, and ten at once. */
export async function measureWorktrees({isLarge}: {isLarge: boolean}, rhythm: Rhythm): Promise<Outcome> {
  const ground = loopDisk();
  try {
    const small = await measureSize(ground.path, 10_000, rhythm);
    const large = isLarge ? await measureSize(ground.path, 50_000, rhythm) : {rows: [], absent: []};
    return {
      rows: [...small.rows, ...large.rows],
      notes: [
        `All trees lie on ${ground.on}; the cache is warm.`,
        'Switchyard claims cold: it checks the files out when the task comes. There are no warm trees yet, at which G1, G2 and the stretch of G4 aim.',
        'A release saves what was not pushed, renames the tree and deletes it in the background; git worktree remove deletes at once and saves nothing.',
        ...(isLarge ? [] : ['50,000 files are measured with --large.']),
      ],
      absent: [...small.absent, ...large.absent],
    };
  } finally {
    ground.remove();
  }
}

async function measureSize(root: string, files: number, rhythm: Rhythm): Promise<Pick<Outcome, 'rows' | 'absent'>> {
  const size = `${files / 1_000}k files`;
  const upstream = join(root, `upstream-${files}.git`);
  progress(`worktrees: making a repository of ${size}`);
  await makeRepository(upstream, files);
  const sides = [
    await switchyardTrees(switchyardName, join(root, `ours-${files}`), upstream),
    await plainTrees(plain, join(root, `plain-${files}`), upstream),
  ];
  const single = await interleave(`one tree of ${size}`, sides.map(oneTree), rhythm);
  const claim = files === 10_000 ? aims.claim10k : aims.claim50k;
  const rows = compare(single, switchyardName, singleWanted(size, claim, files));
  if (files !== 10_000) return {rows, absent: failures(single)};
  const many = await interleave(`${parallel} trees of ${size} at once`, sides.map(manyTrees), rhythm);
  const wanted: Wanted = {
    figure: `${parallel} cold claims at once, ${size}`,
    unit: 'ms',
    key: 'all',
    peer: plain,
    aim: aims.parallelClaims,
  };
  return {
    rows: [...rows, ...compare(many, switchyardName, [wanted]), ...errorRow(many, size)],
    absent: [single, many].flatMap(failures),
  };
}

function singleWanted(size: string, claim: Aim, files: number): readonly Wanted[] {
  const release: Wanted = {figure: `release, ${size}`, unit: 'ms', key: 'release', peer: plain};
  return [
    {figure: `cold claim, ${size}`, unit: 'ms', key: 'claim', peer: plain, aim: claim},
    files === 50_000 ? {...release, aim: aims.release50k} : release,
    {figure: `release until the files are gone, ${size}`, unit: 'ms', key: 'gone', peer: plain},
  ];
}

/** Everything that failed in all rounds together; a median would hide it. */
function errorRow(measured: Measured, size: string): readonly Row[] {
  const sum = (side: string): number =>
    (measured.rounds.get(side) ?? []).reduce((total, {errors = 0}) => total + errors, 0);
  const rounds = measured.rounds.get(plain)?.length ?? 0;
  if (!measured.rounds.has(switchyardName) || rounds === 0) return [];
  return [
    {
      figure: `claims that failed, of ${parallel * rounds}, ${size}`,
      unit: 'count',
      ours: sum(switchyardName),
      peer: {name: plain, value: sum(plain), ratio: Number.NaN},
      aim: aims.parallelErrors,
    },
  ];
}

const newName = (): string => `tree-${randomBytes(6).toString('hex')}`;
const msSince = (beganUs: number): number => (nowUs() - beganUs) / 1_000;

function oneTree(trees: Trees): {name: string; round: () => Promise<Figures>} {
  const round = async (): Promise<Figures> => {
    const name = newName();
    const claimUs = nowUs();
    await trees.claim(name);
    const claim = msSince(claimUs);
    const releaseUs = nowUs();
    await trees.release(name);
    const release = msSince(releaseUs);
    await trees.settled();
    return {claim, release, gone: msSince(releaseUs)};
  };
  return {name: trees.name, round};
}

function manyTrees(trees: Trees): {name: string; round: () => Promise<Figures>} {
  const round = async (): Promise<Figures> => {
    const names = Array.from({length: parallel}, newName);
    const beganUs = nowUs();
    const claims = await Promise.allSettled(names.map(name => trees.claim(name)));
    const all = msSince(beganUs);
    const made = names.filter((_, index) => claims[index]?.status === 'fulfilled');
    for (const name of made) await trees.release(name);
    await trees.settled();
    return {all, errors: parallel - made.length};
  };
  return {name: trees.name, round};
}
