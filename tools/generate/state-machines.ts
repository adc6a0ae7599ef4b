import {approvalMachine} from '@switchyard/shared/machine/approval-machine.ts';
import {attemptMachine} from '@switchyard/shared/machine/attempt-machine.ts';
import {toMermaid} from '@switchyard/shared/machine/machine.ts';
import {taskMachine} from '@switchyard/shared/machine/task-machine.ts';
import {notice, table} from './markdown.ts';

type Drawn = {
  readonly initial: string;
  readonly table: {
    readonly [state: string]: {
      readonly [event: string]: readonly {
        readonly when?: string;
        readonly to: string;
        readonly run?: readonly string[];
      }[];
    };
  };
};

const machines: readonly {readonly title: string; readonly held: string; readonly machine: Drawn}[] = [
  {title: 'Task', held: 'Held by the Fleet object of its pool.', machine: taskMachine},
  {title: 'Attempt', held: 'Held by the journal of the runner.', machine: attemptMachine},
  {title: 'Approval', held: 'Held by the Fleet object of its pool.', machine: approvalMachine},
];

/** One row for each arrow, in the order in which guards are tried. */
function arrows({table: states}: Drawn): string[][] {
  return Object.entries(states).flatMap(([from, events]) =>
    Object.entries(events).flatMap(([event, list]) =>
      list.map(({when, to, run}) => [from, event, when ?? '', to, (run ?? []).join(', ')]),
    ),
  );
}

export function stateMachines(): string {
  const sections = machines.map(({title, held, machine}) =>
    [
      `## ${title}`,
      held,
      `\`\`\`mermaid\n${toMermaid(machine.initial, machine.table)}\n\`\`\``,
      table(['From', 'Event', 'If', 'To', 'Effects'], arrows(machine)),
    ].join('\n\n'),
  );
  return [
    notice('shared/src/machine'),
    '# Life cycles',
    'The first arrow whose condition holds is taken. An event without an arrow is refused: it is answered and counted, and changes nothing.',
    ...sections,
  ].join('\n\n');
}
