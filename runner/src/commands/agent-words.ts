import {agentEventData, type AgentEventKind, type AgentEventOf} from '@switchyard/shared/domain/agent-event.ts';
import type {TaskSpec} from '@switchyard/shared/domain/task-spec.ts';
import type {AgentEvent} from '../agent/driver.ts';
import {withDriver} from '../agent/drivers.ts';
import {oneLine} from './shown-text.ts';
import type {Terminal} from './terminal.ts';

/** What a line of a log says to a person, in any number of lines; undefined where it is shown as it is. */
export type LineWords = (line: string) => readonly string[] | undefined;

type Paint = Terminal['paint'];

/**
 * Puts the wire format of an agent into words, by the same driver that read it on the runner. Lines that are for programs
 * alone say nothing; `--raw` shows them.
 */
export function agentWords(spec: Pick<TaskSpec, 'agent'>, paint: Paint): LineWords {
  return withDriver(spec, driver => {
    let state = driver.initial;
    return line => {
      if (!line.startsWith('{') || !isJson(line)) return undefined;
      const decoded = driver.decode(state, line);
      state = decoded.state;
      return decoded.events.flatMap(event => eventWords(event, paint));
    };
  });
}

function isJson(line: string): boolean {
  try {
    JSON.parse(line);
    return true;
  } catch {
    return false;
  }
}

type Saying<Kind extends AgentEventKind> = (data: AgentEventOf<Kind>, paint: Paint) => readonly string[];

/** The saying of one kind, for data of that kind alone: what does not fit is for programs. */
function saying<Kind extends AgentEventKind>(
  kind: Kind,
  say: Saying<Kind>,
): (data: unknown, paint: Paint) => readonly string[] {
  return (data, paint) => {
    const read = agentEventData[kind].safeParse(data);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- parsed by the schema of this very kind
    return read.success ? say(read.data as AgentEventOf<Kind>, paint) : [];
  };
}

/** Kinds that stand for the work itself; the others are for those who look closer. */
const sayings: ReadonlyMap<string, (data: unknown, paint: Paint) => readonly string[]> = new Map([
  [
    'session_started',
    saying('session_started', ({agent, version, model}, paint) => [
      paint('dim', `● ${[agent, version, model].filter(each => each !== null).join(' ')}`),
    ]),
  ],
  [
    'agent_message_chunk',
    saying('agent_message_chunk', ({text}, paint) =>
      text.split('\n').map(line => `${paint('cyan', '●')} ${oneLine(line)}`),
    ),
  ],
  ['agent_thought_chunk', saying('agent_thought_chunk', ({text}, paint) => [paint('dim', `· ${oneLine(text)}`)])],
  [
    'tool_call',
    saying('tool_call', ({tool, title}, paint) => [
      `${paint('dim', '▸')} ${paint('bold', oneLine(tool))} ${oneLine(title)}`,
    ]),
  ],
  [
    'tool_call_update',
    saying('tool_call_update', ({status, text}, paint) =>
      status === 'failed' ? [`${paint('red', '✗')} ${oneLine(text)}`] : [],
    ),
  ],
  [
    'retry',
    saying('retry', ({attempt, attempts_max: most, delay_ms: delayMs, status, error}, paint) => {
      const seconds = Math.round(delayMs / 100) / 10;
      const why = [status, oneLine(error)].filter(each => each !== null && each !== '').join(' ');
      return [paint('yellow', `… asks the model again in ${seconds} s (${attempt} of ${most}): ${why}`)];
    }),
  ],
  [
    'usage_update',
    saying(
      'usage_update',
      ({input_tokens: input, output_tokens: output, cache_read_tokens: cached, cost_usd: cost}, paint) => [
        paint(
          'dim',
          `  ${input + cached} tokens in, ${output} out${cost === null ? '' : `, about $${cost.toFixed(4)}`}`,
        ),
      ],
    ),
  ],
  [
    'turn_finished',
    saying('turn_finished', ({outcome, text}, paint) =>
      outcome === 'completed' ? [] : [`${paint('red', '✗')} ${outcome.replaceAll('_', ' ')}: ${oneLine(text)}`],
    ),
  ],
]);

const eventWords = ({kind, data}: AgentEvent, paint: Paint): readonly string[] =>
  sayings.get(kind)?.(data, paint) ?? [];
