import {existsSync} from 'node:fs';
import type {ApiClient} from '@switchyard/shared/api/client.ts';
import {createTask} from '@switchyard/shared/api/task-contracts.ts';
import type {TaskView} from '@switchyard/shared/api/task-view.ts';
import {findAgentClis} from '../services/agent-clis.ts';
import {writePrivateFile} from '../services/private-file.ts';
import {sampleRepository, sampleTask} from '../services/sample-repository.ts';
import type {StateLayout} from '../services/state-layout.ts';
import type {Surroundings} from './surroundings.ts';
import {outcomeLines, watchTask} from './watch-task.ts';

type FirstTask = {
  readonly world: Surroundings;
  readonly layout: StateLayout;
  readonly client: ApiClient;
  readonly signal: AbortSignal;
  readonly isQuiet: boolean;
};

export function firstTaskIsDone({firstTaskFile}: StateLayout): boolean {
  return existsSync(firstTaskFile);
}

/** Which agents could work here, said plainly: the first task uses none of them. */
export function agentsLine({env}: Pick<Surroundings, 'env'>): string {
  const found = findAgentClis(env['PATH']);
  const bundled = 'scripted (bundled: follows written instructions, uses no model and no key)';
  return found.length === 0
    ? `${bundled}; no agent CLI or credentials found`
    : `${bundled}; found ${found.map(({name}) => name).join(', ')}`;
}

/** One real task through the whole: queue, lease, worktree, agent, checks, commit, push. Shown while it happens. */
export async function runFirstTask({world, layout, client, signal, isQuiet}: FirstTask): Promise<TaskView> {
  const {terminal, env} = world;
  const url = await sampleRepository(layout.sampleDirectory, env['PATH'] ?? '');
  const task = await client.call(createTask, {body: sampleTask(url), signal});
  if (!isQuiet) {
    terminal.out(terminal.paint('bold', 'First task: repair the failing test of a sample repository'));
    terminal.out(`  ${layout.sampleDirectory} · agent: scripted (bundled, no model)`);
    terminal.out('');
  }
  const ended = await watchTask(task.id, {client, terminal, signal, isQuiet});
  const {id, state} = ended;
  await writePrivateFile(layout.firstTaskFile, `${JSON.stringify({task: id, state})}\n`);
  if (!isQuiet) {
    terminal.out('');
    for (const line of outcomeLines(ended, terminal)) terminal.out(line);
  }
  return ended;
}
