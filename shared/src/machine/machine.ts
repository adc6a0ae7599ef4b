/**
 * A life cycle as data. A table maps (state, event) to an ordered list of arrows; the first arrow whose guard holds is
 * taken, so the last arrow of a list should be unguarded. No arrow means that the event is refused, never that it is
 * silently ignored: the caller answers and counts it.
 */
export type Arrow<State extends string, Guard extends string, Effect extends string> = {
  readonly when?: Guard;
  readonly to: State;
  readonly run?: readonly Effect[];
};

export type Table<State extends string, Event extends string, Guard extends string, Effect extends string> = {
  readonly [S in State]: {readonly [E in Event]?: readonly Arrow<State, Guard, Effect>[]};
};

export type Machine<State extends string, Event extends string, Guard extends string, Effect extends string, Facts> = {
  readonly initial: State;
  readonly table: Table<State, Event, Guard, Effect>;
  readonly guards: {readonly [G in Guard]: (facts: Facts) => boolean};
};

export type Step<State extends string, Effect extends string> =
  | {readonly taken: true; readonly to: State; readonly effects: readonly Effect[]}
  | {readonly taken: false; readonly refused: 'no-arrow' | 'no-guard-held'};

/** Pure: reads nothing but its arguments, so the same call replays to the same step. */
export function step<State extends string, Event extends string, Guard extends string, Effect extends string, Facts>(
  {table, guards}: Machine<State, Event, Guard, Effect, Facts>,
  state: State,
  event: Event,
  facts: Facts,
): Step<State, Effect> {
  const arrows = table[state][event];
  if (arrows === undefined) return {taken: false, refused: 'no-arrow'};
  const arrow = arrows.find(({when}) => when === undefined || guards[when](facts));
  if (arrow === undefined) return {taken: false, refused: 'no-guard-held'};
  return {taken: true, to: arrow.to, effects: arrow.run ?? []};
}

/** States that accept no event: a thing that reached one never changes again. */
export function terminalStates<State extends string>(table: {readonly [S in State]: object}): ReadonlySet<State> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the keys of a table are its states
  const states = Object.keys(table) as State[];
  return new Set(states.filter(state => Object.keys(table[state]).length === 0));
}

/** Renders a table as a Mermaid state diagram; docs/state-machines.md is generated from it. */
export function toMermaid(initial: string, table: Table<string, string, string, string>): string {
  const lines = Object.entries(table).flatMap(([from, events]) =>
    Object.entries(events).flatMap(([event, arrows]) =>
      (arrows ?? []).map(({when, to}) => `  ${from} --> ${to}: ${event}${when === undefined ? '' : ` [${when}]`}`),
    ),
  );
  return ['stateDiagram-v2', `  [*] --> ${initial}`, ...lines].join('\n');
}
