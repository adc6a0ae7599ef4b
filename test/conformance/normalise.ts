import * as z from 'zod';
import type {Line} from '../fixtures/conversation.ts';
import type {TranscriptLine} from './transcript.ts';

/** How a field of a message differs from run to run: in any way, also by not being there, or as a value with a name. */
type Rule = 'any' | 'left out' | 'ts' | 'len' | 'sha' | 'ticket' | 'receipt' | 'session' | 'nonce' | 'jws';

/** Fields by `type.path`; what is not listed is the same in every run, but for ids. */
const rules: Readonly<Record<string, Rule>> = {
  'challenge.nonce': 'nonce',
  'hello.session': 'session',
  'hello.sig': 'any',
  'hello.version': 'any',
  'hello.protocols': 'any',
  'hello.boot_id': 'any',
  'hello.lease_class': 'any',
  'hello.slots': 'any',
  'hello.labels': 'any',
  'hello.inventory.spool_len': 'any',
  'hello.ts': 'ts',
  'welcome.session': 'session',
  'welcome.protocol': 'any',
  'welcome.server_time_ms': 'any',
  'welcome.echo': 'ts',
  'offer.envelope': 'jws',
  'offer.expires_in_ms': 'any',
  'offer.envelope.iat': 'any',
  'offer.envelope.exp': 'any',
  'offer.envelope.jti': 'any',
  'offer.envelope.pool': 'any',
  'offer.envelope.spec': 'any',
  'offer.envelope.spec_sha256': 'any',
  'accept.ts': 'ts',
  'reject.detail': 'any',
  'go.echo': 'ts',
  'go.log_ticket': 'ticket',
  'renew.ts': 'ts',
  'renew.slots': 'any',
  'renew.items.spool_len': 'any',
  'renewed.echo': 'ts',
  'phase.seq': 'any',
  'phase.detail': 'any',
  'cancel.reason': 'any',
  'exit.record': 'jws',
  'exit.record.result.detail': 'any',
  'exit.record.result.summary': 'any',
  'exit.record.exit_code': 'any',
  'exit.record.signal': 'any',
  'exit.record.log_len': 'len',
  'exit.record.log_sha256': 'sha',
  'exit.record.log_receipt': 'receipt',
  'exit.record.timings': 'any',
  // Only an attempt that lived long enough was measured.
  'exit.record.resources': 'left out',
  'state.len': 'len',
  'ack.len': 'len',
  'end.len': 'len',
  'end.sha256': 'sha',
  'sealed.len': 'len',
  'sealed.receipt': 'receipt',
};

/** What says nothing about the protocol, or only that time passes. */
const noise: ReadonlySet<string> = new Set(['metrics', 'event', 'watching', 'rotate', 'rotated']);

/** What a runner need not say. */
const mayBeLeftOut: ReadonlySet<string> = new Set(['phase', 'draining']);

export type Normalised = {
  readonly lines: readonly TranscriptLine[];
  /** What the names of this conversation stand for. */
  readonly values: ReadonlyMap<string, unknown>;
};

/**
 * The same conversation in the form of a transcript: what differs from run to run has a name, and what only depends on
 * the moment, such as how a log is cut into frames, is brought into one form.
 */
export function normalise(conversation: readonly Line[], {keepsRenewals = false} = {}): Normalised {
  const renewals = keepsRenewals ? steadyRenewals(conversation) : new Set<unknown>();
  const told = conversation.filter(line => isTold(line, renewals));
  const {kept, sameTs} = saidOnce(inOrder(joinFrames(told)));
  const names = new Names(sameTs);
  const lines = phasesAfterGo(kept).map(line => transcribed(line, names));
  return {lines: numbered(lines), values: names.values};
}

class Names {
  readonly values = new Map<string, unknown>();
  readonly #names = new Map<string, string>();
  readonly #counts = new Map<string, number>();
  readonly #sameTs: ReadonlyMap<unknown, unknown>;

  constructor(sameTs: ReadonlyMap<unknown, unknown> = new Map()) {
    this.#sameTs = sameTs;
  }

  of(kind: string, told: unknown): unknown {
    if (told === null || told === 0) return told;
    const value = kind === 'ts' ? (this.#sameTs.get(told) ?? told) : told;
    const key = `${kind} ${JSON.stringify(value)}`;
    const known = this.#names.get(key);
    if (known !== undefined) return known;
    const count = (this.#counts.get(kind) ?? 0) + 1;
    this.#counts.set(kind, count);
    const name = `$${kind}${count}`;
    this.#names.set(key, name);
    this.values.set(name, value);
    return name;
  }

  /** Ids of tasks and runners, wherever they stand. */
  ids(text: string): string {
    return text
      .replaceAll(/tsk_[0-9a-z]{26}/g, id => String(this.of('task', id)))
      .replaceAll(/rnr_[0-9a-z]{26}/g, id => String(this.of('runner', id)));
  }
}

/** The `ts` of the renewals that name running attempts and nothing else: which others there are is a matter of the moment. */
function steadyRenewals(conversation: readonly Line[]): ReadonlySet<unknown> {
  const named = z.array(z.object({phase: z.string()}));
  const steady = conversation.flatMap(line => {
    if (line.kind !== 'message' || line.message['t'] !== 'renew') return [];
    const items = named.parse(line.message['items']);
    return items.length > 0 && items.every(({phase}) => phase === 'running') ? [line.message['ts']] : [];
  });
  return new Set(steady);
}

function isTold(line: Line, renewals: ReadonlySet<unknown>): boolean {
  if (line.kind === 'refused') return false;
  if (line.kind === 'closed') return line.on === 'control' && !isEcho(line);
  if (line.kind !== 'message') return true;
  const type = String(line.message['t']);
  if (type === 'renew') return renewals.has(line.message['ts']);
  if (type === 'renewed') return renewals.has(line.message['echo']);
  if (line.over === 'request' && type === 'state') return false;
  return !noise.has(type);
}

/** The close of one side is answered by the other: only a cut is noted where the runner's side ends. */
const isEcho = (line: Extract<Line, {kind: 'closed' | 'opened' | 'refused'}>): boolean =>
  line.from === 'runner' && line.detail !== '1006';

/** Frames in a row, with the acknowledgements between them, are one frame and the last acknowledgement. */
function joinFrames(lines: readonly Line[]): readonly Line[] {
  const joined: Line[] = [];
  for (const line of lines) {
    const at = joined.findLastIndex(each => each.on === line.on && !isAck(each));
    const last = joined[at];
    if (line.kind === 'frame' && last?.kind === 'frame') {
      const bytes = Buffer.concat([last.frame.bytes, line.frame.bytes]);
      joined[at] = {...last, frame: {...last.frame, bytes}};
    } else if (isAck(line)) {
      const framed = joined.findLastIndex(each => each.on === line.on && each.kind === 'frame');
      const isKnown = joined[framed + 1]?.on === line.on && isAck(joined[framed + 1]);
      joined.splice(framed + 1, isKnown ? 1 : 0, line);
    } else joined.push(line);
  }
  return joined;
}

const isAck = (line: Line | undefined): boolean =>
  line?.kind === 'message' && line.on !== 'control' && line.message['t'] === 'ack';

/** Before these the log has come as far as it must: it runs beside the control channel, and is told here. */
const barriers: ReadonlySet<string> = new Set(['exit', 'cancel', 'input', 'drain']);

function inOrder(lines: readonly Line[]): readonly Line[] {
  const ordered: Line[] = [];
  const waiting: Line[] = [];
  for (const line of lines) {
    const isBarrier = line.kind === 'closed' || (line.kind === 'message' && barriers.has(String(line.message['t'])));
    if (line.on !== 'control') waiting.push(line);
    else ordered.push(...(isBarrier ? waiting.splice(0) : []), line);
  }
  return [...ordered, ...waiting];
}

type Unnumbered = Omit<TranscriptLine, 'n' | 'after'>;

function transcribed(line: Line, names: Names): Unnumbered {
  const where = {
    from: line.from,
    on: names.ids(line.on),
    ...(line.over === 'request' ? {over: 'request' as const} : {}),
  };
  if (line.kind === 'opened')
    return {
      ...where,
      does: 'opens',
      ...(line.on === 'control' ? {} : {detail: String(names.of('ticket', line.detail))}),
    };
  if (line.kind === 'frame') {
    const {offset, bytes} = line.frame;
    return {...where, frame: {offset: names.of('len', offset), agent: printed(bytes).toString('base64')}};
  }
  if (line.kind !== 'message')
    return line.from === 'server'
      ? {...where, does: 'closes', detail: line.detail}
      : {...where, from: 'network', does: 'cuts'};
  const type = String(line.message['t']);
  const message = Object.fromEntries(
    Object.entries(line.message).map(([field, value]) => [field, named(value, `${type}.${field}`, names)]),
  );
  return {...where, ...(mayBeLeftOut.has(type) ? {may: true as const} : {}), message};
}

/** The lines of the agent; a runner may add lines of its own. */
function printed(bytes: Buffer): Buffer {
  return Buffer.from((bytes.toString('utf8').match(/^mark \d+\n/gm) ?? []).join(''));
}

function named(value: unknown, path: string, names: Names): unknown {
  const rule = rules[path];
  if (rule === 'any') return '$any';
  if (rule === 'jws') return {$jws: inside(claimsOf(String(value)), path, names)};
  if (rule !== undefined && rule !== 'left out') return names.of(rule, value);
  return inside(value, path, names);
}

function inside(value: unknown, path: string, names: Names): unknown {
  if (typeof value === 'string') return names.ids(value);
  if (Array.isArray(value)) return value.map(each => named(each, path, names));
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.entries(value).filter(([field]) => rules[`${path}.${field}`] !== 'left out');
  return Object.fromEntries(fields.map(([field, inner]) => [field, named(inner, `${path}.${field}`, names)]));
}

function claimsOf(jws: string): unknown {
  return JSON.parse(Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString('utf8'));
}

/** What is said again until it is answered; a renewal stands for all that follow it alike. */
const saidAgain: ReadonlySet<string> = new Set(['exit', 'phase', 'accept', 'challenge', 'renew', 'renewed']);

/**
 * Each message once. Requests say more of them again than sockets do: whatever the server tells one stays in its mailbox
 * until the next one shows that it arrived, and two may be on their way. `sameTs` has the time of each message that was
 * left out of these, with that of the one which stands for it: an answer may echo either.
 */
function saidOnce(lines: readonly Line[]): {kept: readonly Line[]; sameTs: ReadonlyMap<unknown, unknown>} {
  const names = new Names();
  const sameTs = new Map<unknown, unknown>();
  const said = new Map<string, unknown>();
  const kept = lines.filter(line => {
    if (line.kind !== 'message') {
      if (line.on === 'control') said.clear();
      return true;
    }
    const {t: type, ts} = line.message;
    if (line.over !== 'request' && !saidAgain.has(String(type))) return true;
    const {on, message} = transcribed(line, names);
    const shape = JSON.stringify([on, message]).replaceAll(/"\$ts\d+"/g, '"$ts"');
    const isFirst = !said.has(shape);
    if (isFirst) said.set(shape, ts);
    else if (line.over === 'request' && ts !== undefined) sameTs.set(ts, said.get(shape));
    return isFirst;
  });
  return {kept, sameTs};
}

/** Requests overtake each other: the phases that they tell stand behind the `go` of their attempt, in their own order. */
function phasesAfterGo(lines: readonly Line[]): readonly Line[] {
  const numberOf = (line: Line): number => (line.kind === 'message' ? Number(line.message['seq']) : 0);
  const phases = lines.filter(isPolledPhase).toSorted((left, right) => numberOf(left) - numberOf(right));
  return lines.flatMap(line => {
    if (isPolledPhase(line)) return [];
    if (line.kind !== 'message' || line.message['t'] !== 'go') return [line];
    const {message: go} = line;
    return [line, ...phases.filter(phase => phase.kind === 'message' && ref(phase.message) === ref(go))];
  });
}

const isPolledPhase = (line: Line): boolean =>
  line.kind === 'message' && line.over === 'request' && line.message['t'] === 'phase';

function numbered(lines: readonly Unnumbered[]): readonly TranscriptLine[] {
  const all: TranscriptLine[] = [];
  for (const [index, line] of lines.entries()) {
    const after = orderOf(line, all);
    all.push({n: index + 1, ...(after === undefined ? {} : {after: [after]}), ...line});
  }
  return all;
}

/** A log is opened after its `go`; what stands behind a log comes after the last line of it. */
function orderOf(line: Unnumbered, before: readonly TranscriptLine[]): number | undefined {
  if (line.on !== 'control' && line.does === 'opens')
    return before.findLast(({message}) => message?.['t'] === 'go' && line.on === `log ${ref(message)}`)?.n;
  const isBarrier = line.does === 'cuts' || line.does === 'closes' || barriers.has(String(line.message?.['t']));
  return isBarrier ? before.findLast(({on}) => on !== 'control')?.n : undefined;
}

const ref = (message: Readonly<Record<string, unknown>>): string =>
  `${String(message['task'])}/e${String(message['epoch'])}`;
