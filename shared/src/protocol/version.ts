/** Subprotocol of the runner's WebSocket: its generation, which every version of the history belongs to. */
export const RUNNER_SUBPROTOCOL = 'switchyard.runner.v1';

/**
 * One line per change of the wire. A runner offers the versions it speaks; the server picks the highest one both know
 * and closes with 4426 when there is none. `schemaHash` ties the line to the schemas: a test recomputes it.
 */
export const protocolHistory = [
  {version: 1, date: '2026-11-20', schemaHash: 'dea6a27e665182bf', change: 'First version.'},
  {
    version: 2,
    date: '2026-11-21',
    schemaHash: '997361bee08d771f',
    change: 'The Fleet says `rotate` when the key of a runner was replaced.',
  },
  {
    version: 3,
    date: '2026-11-21',
    schemaHash: '9cc399338aabdc59',
    change: 'A runner says `ask` and `ask_withdrawn`, the Fleet says `answer`; an attempt may end as `waiting`.',
  },
  {
    version: 4,
    date: '2026-11-21',
    schemaHash: '050f2db9eda795a3',
    change:
      'A runner says `spending`, the Fleet says `allowance`; dispatches may hold one, exit records what was spent.',
  },
  {
    version: 5,
    date: '2026-11-21',
    schemaHash: 'ce11e9c53fcfed92',
    change:
      'An allowance may say what the session has spent; `metrics` and exit records say what an attempt uses of its machine; the Fleet says `budget_warning`.',
  },
  {
    version: 6,
    date: '2026-11-21',
    schemaHash: 'bc190c8bd3bc2df2',
    change:
      'An `ask` may be a `call`: a tool of the Fleet, which answers it by itself; exit records say what came of the prompt of a role.',
  },
  {
    version: 7,
    date: '2026-11-21',
    schemaHash: 'bc190c8bd3bc2df2',
    change: 'A dispatched spec may limit the memory of its attempt.',
  },
  {
    version: 8,
    date: '2026-11-21',
    schemaHash: 'bc190c8bd3bc2df2',
    change: 'A dispatched spec may name whose models its command asks.',
  },
  {
    version: 9,
    date: '2026-11-21',
    schemaHash: 'bc190c8bd3bc2df2',
    change: 'A dispatched spec may name the branch against which a change is told.',
  },
  {
    version: 10,
    date: '2026-11-21',
    schemaHash: '4ce26bff6c475a2d',
    change: 'An `input` may interrupt what the agent is doing.',
  },
  {
    version: 11,
    date: '2026-11-21',
    schemaHash: '53ca7930fdef6f29',
    change: 'The record of an `exit` may be as long as all that it may say.',
  },
] as const;

export const PROTOCOL_VERSION = 11;

/** From this version on an agent can ask a person. */
export const askProtocol = 3;

/** From this version on a runner tells what its attempts spend, and keeps to what it is given. */
export const spendingProtocol = 4;

/** From this version on a runner counts what an attempt spent that waited for the one which goes on for it. */
export const sessionSpendingProtocol = 5;

/** From this version on a runner tells what the processes of its attempts use. */
export const resourcesProtocol = 5;

/** From this version on the Fleet answers calls of agents by itself. */
export const callProtocol = 6;

/** From this version on a runner tells which prompt of a role an agent was told, and what it stated as its outcome. */
export const roleProtocol = 6;

/** From this version on a runner understands a task that limits its memory. */
export const memoryProtocol = 7;

/** From this version on a runner understands a task whose command asks models. */
export const modelsProtocol = 8;

/** From this version on a runner understands a task that names the branch which a change is for. */
export const againstProtocol = 9;

/** From this version on a runner interrupts an agent for a message. */
export const interruptProtocol = 10;

/** From this version on the record of an exit may be longer than 65,536 characters. */
export const longExitProtocol = 11;

/** Every version that this code speaks: a message that a peer of an older one does not know is skipped by it. */
export const protocolVersions: readonly number[] = protocolHistory.map(({version}) => version);

/** WebSocket close codes of this protocol (RFC 6455 leaves 4000-4999 to applications). */
export const closeCodes = {
  unauthorized: 4401,
  revoked: 4403,
  replaced: 4409,
  protocolTooOld: 4426,
} as const;
