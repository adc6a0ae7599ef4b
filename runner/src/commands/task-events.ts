import type {Command} from 'commander';
import {listTaskEvents} from '@switchyard/shared/api/task-contracts.ts';
import type {TaskEventView} from '@switchyard/shared/api/task-view.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {leaf, text} from './leaf.ts';
import type {Surroundings} from './surroundings.ts';
import {table} from './table.ts';
import {moment, parseCount} from './units.ts';
import {taskId} from './watch-task.ts';

const seqMax = 999_999_999;

export function taskEventsCommand(world: Surroundings): Command {
  return leaf(
    {
      name: 'events <task>',
      summary: 'the history of a task: every change of state, and what its agents reported',
      aliases: ['history'],
      examples: [
        'task events tsk_…',
        'task events tsk_… --after 20',
        'task events tsk_… --json | jq -r ".events[].kind"',
      ],
      configure: command => command.option('--after <seq>', 'only events behind this one', '0'),
    },
    async ([id], options) => {
      const task = taskId(id);
      const first = parseCount('--after', text(options, 'after') ?? '0', [0, seqMax]);
      const client = await world.client(options);
      const events: TaskEventView[] = [];
      // A history has an end: limits.taskEventsMax.
      for (let after: number | null = first; after !== null;) {
        const query: {after: number; limit: number} = {after, limit: limits.listLimitMax};
        const page = await client.call(listTaskEvents, {params: {task}, query});
        events.push(...page.events);
        after = page.next;
      }
      if (options.json === true) return world.terminal.out(JSON.stringify({events}));
      const rows = events.map(rowOf);
      for (const line of table(['SEQ', 'TIME', 'EPOCH', 'EVENT', 'WHAT'], rows, world.terminal.columns))
        world.terminal.out(line);
    },
  );
}

function rowOf({seq, at_ms: atMs, epoch, kind, data}: TaskEventView): readonly string[] {
  return [String(seq), moment(atMs), epoch === 0 ? '-' : String(epoch), kind, inWords(data)];
}

/** What is empty says nothing; a lone text and a phase stand for themselves, everything else under its name. */
function inWords(data: TaskEventView['data']): string {
  if (data === null) return '';
  if (typeof data !== 'object' || Array.isArray(data)) return JSON.stringify(data);
  const told = Object.entries(data).flatMap(([name, value]): (readonly [string, string])[] =>
    value === null || value === '' ? [] : [[name, typeof value === 'string' ? value : JSON.stringify(value)]],
  );
  const isPlain = told.length === 1 || told[0]?.[0] === 'phase';
  return isPlain
    ? told.map(([, value]) => value).join(': ')
    : told.map(([name, value]) => `${name}=${value}`).join(' ');
}
