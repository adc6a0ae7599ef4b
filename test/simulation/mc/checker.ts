/** One thing that may happen next: what a person would say of it, and the state that it leads to. */
export type Step<State> = {readonly words: string; readonly to: State};

/** A system small enough to be looked at in every state that it can ever be in. */
export type Model<State> = {
  readonly initial: State;
  /** One whole number below 2^53 for each state; two states that the model need not tell apart may share it. */
  readonly encode: (state: State) => number;
  readonly decode: (key: number) => State;
  /** Everything that may happen in a state. */
  readonly steps: (state: State) => readonly Step<State>[];
  /** What must hold in every state. A state that breaks a law is not followed further. */
  readonly laws: readonly Law<State>[];
  /** What must stay possible. Looked at only where every law holds. */
  readonly goals: readonly Goal<State>[];
};

/** `broken` is what to say of a state in which it does not hold. */
export type Law<State> = {readonly broken: string; readonly holds: (state: State) => boolean};

/** From every state in `from`, some sequence of steps leads to a state in `to`. */
export type Goal<State> = {
  readonly broken: string;
  readonly from: (state: State) => boolean;
  readonly to: (state: State) => boolean;
};

export type Limits = {
  readonly statesMax: number;
  /** One counterexample is enough: the nearest one. */
  readonly stopsAtBreach?: boolean;
};

/** The shortest way from the initial state to one that breaks a law, or is cut off from a goal. */
export type Counterexample<State> = {readonly broken: string; readonly trace: readonly Step<State>[]};

export type Verdict<State> = {
  /** How many were met. All there are, unless the search stopped at a breach. */
  readonly states: number;
  /** Steps from the initial state to the farthest one. */
  readonly depth: number;
  /** For each law and goal that does not hold, in their order; none: all of them hold, within the bounds of the model. */
  readonly broken: readonly Counterexample<State>[];
};

/** The states in the order in which they were met, each by its place in it. */
type Explored = {
  readonly keys: readonly number[];
  readonly places: ReadonlyMap<number, number>;
  /** From where each was met first. */
  readonly parents: readonly number[];
  /** What was broken, and the first state in which it was. */
  readonly breaches: ReadonlyMap<string, number>;
};

/**
 * Looks at every state that the model can reach, nearest first, so that every counterexample is a shortest one.
 *
 * @throws Error when there are more than `statesMax` states: then nothing is proved, whatever was seen so far
 */
export function check<State>(model: Model<State>, limits: Limits): Verdict<State> {
  const explored = explore(model, limits);
  const firsts = explored.breaches.size > 0 ? explored.breaches : cutsOff(model, explored);
  const broken = [...model.laws, ...model.goals].flatMap(({broken}) => {
    const place = firsts.get(broken);
    return place === undefined ? [] : [{broken, trace: traceTo(model, explored, place)}];
  });
  return {states: explored.keys.length, depth: pathTo(explored, explored.keys.length - 1).length, broken};
}

function explore<State>(
  {initial, encode, decode, steps, laws}: Model<State>,
  {statesMax, stopsAtBreach = false}: Limits,
): Explored {
  const keys: number[] = [];
  const places = new Map<number, number>();
  const parents: number[] = [];
  const breaches = new Map<string, number>();
  const meet = (state: State, parent: number): void => {
    const key = encode(state);
    if (places.has(key)) return;
    if (keys.length === statesMax) throw new Error(`the model has more than ${statesMax} states, so nothing is proved`);
    places.set(key, keys.length);
    keys.push(key);
    parents.push(parent);
  };
  meet(initial, 0);
  for (const [place, key] of keys.entries()) {
    const state = decode(key);
    const broken = laws.filter(({holds}) => !holds(state));
    for (const law of broken) if (!breaches.has(law.broken)) breaches.set(law.broken, place);
    if (stopsAtBreach && breaches.size > 0) break;
    if (broken.length === 0) for (const {to} of steps(state)) meet(to, place);
  }
  return {keys, places, parents, breaches};
}

/** For each goal that cannot always be reached, the first state that is cut off from it. */
function cutsOff<State>(model: Model<State>, explored: Explored): ReadonlyMap<string, number> {
  if (model.goals.length === 0) return new Map();
  const arrows = arrowsOf(model, explored);
  return new Map(
    model.goals.flatMap(goal => {
      const place = cutOff(model, explored, {goal, arrows});
      return place === undefined ? [] : [[goal.broken, place]];
    }),
  );
}

/** The places to which state `n` leads are `targets` from `starts[n]` to before `starts[n + 1]`. */
type Arrows = {readonly starts: readonly number[]; readonly targets: readonly number[]};

function arrowsOf<State>({decode, encode, steps}: Model<State>, {keys, places}: Explored): Arrows {
  const starts = [0];
  const targets: number[] = [];
  for (const key of keys) {
    for (const {to} of steps(decode(key))) targets.push(places.get(encode(to)) ?? NaN);
    starts.push(targets.length);
  }
  return {starts, targets};
}

function cutOff<State>(
  {decode}: Model<State>,
  {keys}: Explored,
  {goal, arrows: {starts, targets}}: {readonly goal: Goal<State>; readonly arrows: Arrows},
): number | undefined {
  const reaches = Uint8Array.from(keys, key => Number(goal.to(decode(key))));
  const leads = (place: number): boolean => {
    for (let arrow = starts[place] ?? NaN; arrow < (starts[place + 1] ?? NaN); arrow++)
      if (reaches[targets[arrow] ?? NaN] === 1) return true;
    return false;
  };
  // Backwards, since most steps lead to a state that was met later: few rounds are needed.
  for (let grows = true; grows;) {
    grows = false;
    for (let place = keys.length - 1; place >= 0; place--) {
      if (reaches[place] === 1 || !leads(place)) continue;
      reaches[place] = 1;
      grows = true;
    }
  }
  const first = keys.findIndex((key, place) => reaches[place] === 0 && goal.from(decode(key)));
  return first === -1 ? undefined : first;
}

function pathTo({parents}: Explored, end: number): readonly number[] {
  const path: number[] = [];
  for (let place = end; place !== 0; place = parents[place] ?? 0) path.push(place);
  return path.toReversed();
}

/** Goes the way again from the start, to hear of every step what it was. */
function traceTo<State>({initial, encode, steps}: Model<State>, explored: Explored, end: number): Step<State>[] {
  const trace: Step<State>[] = [];
  for (const place of pathTo(explored, end)) {
    const step = steps(trace.at(-1)?.to ?? initial).find(({to}) => explored.places.get(encode(to)) === place);
    if (step === undefined) throw new Error('the model takes other steps when it is asked again');
    trace.push(step);
  }
  return trace;
}
