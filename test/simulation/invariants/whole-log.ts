import type {World} from '../world.ts';
import {keyOf, type AttemptOf} from '../kernel/fact.ts';
import type {Finding, Invariant} from './invariant.ts';

/** The bytes that a machine said stand at each offset, and how far the server was compared with them. */
type Said = {bytes: Buffer; compared: number; acked: number; machine: number};

export const wholeLog: Invariant = {
  number: 6,
  name: 'wholeLog',
  sentence:
    'The log on the server is a byte-exact prefix of the spool, an acknowledgement never falls, and an exit is accepted only with the whole log.',
  watch: world => {
    const said = new Map<string, Said>();
    const lostPower = new Set<string>();
    const of = (fact: AttemptOf): Said => {
      const key = keyOf(fact);
      const known = said.get(key) ?? {bytes: Buffer.alloc(0), compared: 0, acked: 0, machine: -1};
      said.set(key, known);
      return known;
    };
    const compare = (fact: AttemptOf): Finding => {
      const mine = of(fact);
      const stored = world.logOf(fact.task).bytesOf(fact.epoch, mine.compared);
      if (stored.length === 0) return undefined;
      const expected = mine.bytes.subarray(mine.compared, mine.compared + stored.length);
      const isSame = expected.equals(stored);
      mine.compared += stored.length;
      return isSame || lostPower.has(keyOf(fact)) ? undefined : `the log of ${keyOf(fact)} differs from what was sent`;
    };
    return {
      on: {
        'host.crashed': ({machine}) => {
          // Its spool may continue with other bytes; then the log is never sealed, which is checked below.
          for (const [key, each] of said) if (each.machine === machine) lostPower.add(key);
          return undefined;
        },
        'log.sent': fact => {
          const mine = of(fact);
          mine.machine = fact.machine;
          const end = fact.offset + fact.bytes.length;
          if (fact.offset > mine.bytes.length) return `${keyOf(fact)} sends from ${fact.offset}, beyond all it sent`;
          if (end > mine.bytes.length) mine.bytes = Buffer.concat([mine.bytes.subarray(0, fact.offset), fact.bytes]);
          else mine.bytes.set(fact.bytes, fact.offset);
          return undefined;
        },
        'log.answered': fact => {
          const {message} = fact;
          if (message.t !== 'ack' && message.t !== 'state' && message.t !== 'sealed') return undefined;
          const mine = of(fact);
          if (message.len < mine.acked) return `the log of ${keyOf(fact)} fell from ${mine.acked} to ${message.len}`;
          mine.acked = message.len;
          return compare(fact) ?? (message.t === 'sealed' ? againstAgent(world, fact, message.len) : undefined);
        },
        history: fact => {
          if (fact.outcome === 'lease_lost') return undefined;
          const attempt = world.logs
            .get(fact.task)
            ?.store.attempts()
            .find(({epoch}) => epoch === fact.epoch);
          const stored = attempt?.length ?? 0;
          if (fact.logBytes !== stored)
            return `the exit of ${keyOf(fact)} was accepted with ${fact.logBytes} of ${stored} bytes`;
          return stored > 0 && attempt?.sha256 === null
            ? `the exit of ${keyOf(fact)} was accepted, its log is not whole`
            : undefined;
        },
        'log.restarted': ({task}) => {
          const log = world.logOf(task);
          for (const {epoch, length} of log.store.attempts()) {
            const mine = of({task, epoch});
            if (length < mine.acked) return `${keyOf({task, epoch})} lost ${mine.acked - length} acknowledged bytes`;
            mine.compared = Math.min(mine.compared, length);
          }
          return undefined;
        },
      },
    };
  },
};

const newline = 0x0a;
const star = 0x2a;
const notes = /\[switchyard\] [^\n]*\n/g;

/** The whole log against what the agent printed; lines of the runner are left out, and so is where lines end. */
function againstAgent(world: World, fact: AttemptOf, length: number): Finding {
  const stored = Buffer.from(world.logOf(fact.task).bytesOf(fact.epoch));
  if (stored.length !== length) return `the log of ${keyOf(fact)} was sealed with ${stored.length} of ${length} bytes`;
  const directory = world.hosts.map(({machine}) => machine.directoryOf(fact)).find(each => each !== undefined);
  if (directory === undefined) return undefined;
  const printed = directory.out.slice(0);
  const mayMask = maskable(printed);
  const logged = Buffer.from(stored.toString('latin1').replace(notes, ''), 'latin1');
  let at = 0;
  for (const byte of logged) {
    if (byte === newline) continue;
    while (printed[at] === newline) at += 1;
    const isSame = byte === printed[at] || (byte === star && mayMask[at] === 1);
    if (!isSame) return `the log of ${keyOf(fact)} is not what its agent printed, from byte ${at} on`;
    at += 1;
  }
  return undefined;
}

/** Where a star may stand: in a line that speaks of a token, and in the one after it, for a secret of two lines. */
function maskable(printed: Uint8Array): Uint8Array {
  const may = new Uint8Array(printed.length);
  let start = 0;
  for (const line of Buffer.from(printed)
    .toString('latin1')
    .split(/(?<=\n)/)) {
    if (line.includes('token') || line.startsWith('second line')) may.fill(1, start, start + line.length);
    start += line.length;
  }
  return may;
}
