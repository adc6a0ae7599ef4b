import fc from 'fast-check';
import * as z from 'zod';
import {describe, expect, test} from 'vitest';
import {newRunnerId, newTaskId, taskIdSchema} from '@switchyard/shared/domain/id.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {attemptPhases} from '@switchyard/shared/protocol/attempt-message.ts';
import {decodeBatch, encodeBatch, encodeBatches} from '@switchyard/shared/protocol/batch.ts';
import {downMessageSchema, offerSchema, type DownMessage} from '@switchyard/shared/protocol/down.ts';
import {upMessageSchema, type UpMessage} from '@switchyard/shared/protocol/up.ts';

/** A value for each field: whoever adds a field to a message gets a compile error here. */
type Arbitraries<Message extends {t: string}> = {
  readonly [T in Message['t']]: {
    readonly [Key in keyof Extract<Message, {t: T}>]: fc.Arbitrary<Extract<Message, {t: T}>[Key]>;
  };
};

const count = fc.nat({max: Number.MAX_SAFE_INTEGER});
const positive = fc.integer({min: 1, max: Number.MAX_SAFE_INTEGER});
const clock = fc.double({min: 0, max: 1e15, noNaN: true}).map(value => value + 0);
const text = (maxLength: number, minLength = 0) => fc.string({unit: 'grapheme', minLength, maxLength: maxLength / 10});
const randomness = fc.uint8Array({minLength: 16, maxLength: 16});
const task = fc.tuple(fc.nat({max: 2 ** 47}), randomness).map(([ms, bytes]) => newTaskId(ms, () => bytes));
const runner = fc.tuple(fc.nat({max: 2 ** 47}), randomness).map(([ms, bytes]) => newRunnerId(ms, () => bytes));
const attempt = {task, epoch: positive};
const session = fc.stringMatching(/^[a-z0-9]{8,64}$/);
const held = fc.record({...attempt, phase: fc.constantFrom(...attemptPhases), spool_len: count});
const slots = fc.dictionary(fc.stringMatching(/^[a-z]{1,40}$/), fc.integer({min: 0, max: 256}));
const json = fc.jsonValue({depthSize: 'small'}).map(value => z.json().parse(JSON.parse(JSON.stringify(value))));

const amount = fc.integer({min: 0, max: 1_000_000_000_000});
const limit = fc.option(amount, {nil: null});
const figures = fc.record({cost_micros: amount, tokens: amount, turns: amount});

const up: Arbitraries<UpMessage> = {
  hello: {
    t: fc.constant('hello'),
    runner,
    session,
    sig: text(200),
    version: text(40),
    protocols: fc.array(fc.integer(), {minLength: 1, maxLength: 16}),
    boot_id: text(100),
    lease_class: fc.constantFrom('standard', 'patient'),
    slots,
    labels: fc.array(text(100), {maxLength: limits.labelsMax}),
    inventory: fc.array(held, {maxLength: 5}),
    ts: clock,
  },
  accept: {t: fc.constant('accept'), ...attempt, ts: clock},
  reject: {
    t: fc.constant('reject'),
    ...attempt,
    code: fc.constantFrom('policy_refused', 'internal'),
    detail: text(2_000),
    retryable: fc.boolean(),
  },
  renew: {t: fc.constant('renew'), ts: clock, slots, items: fc.array(held, {maxLength: 5})},
  phase: {t: fc.constant('phase'), ...attempt, seq: count, phase: fc.constantFrom(...attemptPhases), detail: text(500)},
  event: {t: fc.constant('event'), ...attempt, seq: count, kind: fc.stringMatching(/^[a-z][a-z_.]{0,59}$/), data: json},
  exit: {t: fc.constant('exit'), ...attempt, record: text(65_536)},
  draining: {t: fc.constant('draining'), held: count},
  input_ack: {t: fc.constant('input_ack'), ...attempt, seq: count, delivered: fc.boolean()},
  metrics: {
    t: fc.constant('metrics'),
    load1: clock,
    memory_free_bytes: clock,
    disk_free_bytes: clock,
    rss_bytes: clock,
  },
  ask: {
    t: fc.constant('ask'),
    ...attempt,
    id: text(200, 1),
    kind: fc.constantFrom('permission', 'question'),
    tool: text(200),
    input: text(2_000),
    reason: text(2_000),
    rule: fc.option(text(500)),
    expires_in_ms: fc.integer({min: 1, max: limits.approvalTtlMaxMs}),
  },
  ask_withdrawn: {t: fc.constant('ask_withdrawn'), ...attempt, id: text(200, 1)},
  spending: {
    t: fc.constant('spending'),
    ...attempt,
    spent: fc.record({
      cost_micros: amount,
      input_tokens: amount,
      output_tokens: amount,
      cache_read_tokens: amount,
      cache_write_tokens: amount,
      turns: amount,
    }),
    wants: fc.option(figures, {nil: null}),
  },
};

const down: Arbitraries<DownMessage> = {
  challenge: {t: fc.constant('challenge'), nonce: fc.stringMatching(/^[a-z0-9]{16,100}$/)},
  welcome: {
    t: fc.constant('welcome'),
    session,
    protocol: fc.integer(),
    server_time_ms: fc.integer(),
    config: fc.record({
      ttl_ms: positive,
      renew_ms: positive,
      grace_ms: positive,
      offer_ms: positive,
      soft_stop_ms: count,
      hard_kill_ms: count,
    }),
    verdicts: fc.array(fc.record({...attempt, verdict: fc.constantFrom('keep', 'kill', 'send_exit', 'forget')}), {
      maxLength: 5,
    }),
    echo: clock,
  },
  offer: {t: fc.constant('offer'), ...attempt, envelope: text(5_000), expires_in_ms: positive},
  go: {t: fc.constant('go'), ...attempt, echo: clock, log_ticket: text(500)},
  gone: {t: fc.constant('gone'), ...attempt, why: text(200)},
  renewed: {t: fc.constant('renewed'), items: fc.array(fc.record(attempt), {maxLength: 5}), echo: clock},
  exit_ack: {t: fc.constant('exit_ack'), ...attempt},
  exit_nack: {
    t: fc.constant('exit_nack'),
    ...attempt,
    why: fc.constantFrom('log_incomplete', 'bad_signature', 'invalid'),
  },
  cancel: {t: fc.constant('cancel'), ...attempt, grace_ms: count, reason: text(500)},
  input: {t: fc.constant('input'), ...attempt, seq: count, data: text(2_000)},
  drain: {t: fc.constant('drain')},
  resume: {t: fc.constant('resume')},
  rotate: {t: fc.constant('rotate'), x: fc.stringMatching(/^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/)},
  server_drain: {t: fc.constant('server_drain'), after_ms: count},
  answer: {
    t: fc.constant('answer'),
    ...attempt,
    id: text(200, 1),
    decision: fc.constantFrom('approve', 'reject', 'answer'),
    text: text(2_000),
    by: fc.option(text(200)),
  },
  allowance: {
    t: fc.constant('allowance'),
    ...attempt,
    slice: fc.record({cost_micros: limit, tokens: limit, turns: limit}),
    wants: fc.option(figures, {nil: null}),
  },
  budget_warning: {t: fc.constant('budget_warning'), ...attempt, budget: text(100), percent: count},
};

describe.each([
  {name: 'up', union: upMessageSchema, messages: up},
  {name: 'down', union: downMessageSchema, messages: down},
] as const)('messages $name', ({union, messages}) => {
  const each = Object.values(messages).map(fields => fc.record<Record<string, unknown>>(fields));
  const any = fc.oneof(...each);

  test('[PR1] are read as they were written, in their order', () => {
    fc.assert(
      fc.property(fc.array(any, {maxLength: 8}), batch => {
        expect(decodeBatch(union, encodeBatch(batch))).toEqual({messages: batch, unknown: 0});
      }),
      {numRuns: 300},
    );
  });

  test.for(Object.keys(messages))('[PR2] of the type %s are refused with a field too many or too few', type => {
    const message = each[Object.keys(messages).indexOf(type)] ?? any;
    fc.assert(
      fc.property(message, fc.nat(), (good, index) => {
        const fields = Object.keys(good).filter(key => key !== 't');
        const missing = fields[index % Math.max(1, fields.length)];
        const few = Object.fromEntries(Object.entries(good).filter(([key]) => key !== missing));
        const refused = [{...good, surplus: 1}, ...(missing === undefined ? [] : [few])];
        for (const bad of refused) expect(() => decodeBatch(union, encodeBatch([good, bad]))).toThrow(`${type}: `);
        expect(decodeBatch(union, encodeBatch([good])).messages).toHaveLength(1);
      }),
      {numRuns: 20},
    );
  });
});

describe('a control frame', () => {
  const drain = {t: 'drain'};

  test('[PR3] of a newer peer is read as far as it is known, and the rest is counted', () => {
    const text = JSON.stringify({m: [drain, {t: 'later', of: 'v2'}, {t: 'resume'}, {t: 'hello'}, {}, {t: 1}, null]});
    expect(decodeBatch(downMessageSchema, text)).toEqual({messages: [drain, {t: 'resume'}], unknown: 5});
    expect(decodeBatch(downMessageSchema, '{"m":[],"newer":true}')).toEqual({messages: [], unknown: 0});
  });

  test('[PR17] of a newer server loses its unknown fields, at any depth, and nothing else', () => {
    const task = 'tsk_01arz3ndektsv4rrffq69g5fav';
    const known = {t: 'renewed', items: [{task, epoch: 1}], echo: 1};
    const newer = `{"m":[{"t":"renewed","items":[{"task":"${task}","epoch":1,"until":2,"__proto__":{"a":1}}],"echo":1,"of":{}}]}`;
    expect(decodeBatch(downMessageSchema, newer, 'leave_out')).toEqual({messages: [known], unknown: 0});
    expect(() => decodeBatch(downMessageSchema, newer)).toThrow('renewed: ');
    const wrong = encodeBatch([{...known, echo: 'x', of: 1}]);
    expect(() => decodeBatch(downMessageSchema, wrong, 'leave_out')).toThrow('renewed: ');
  });

  test.for(['', '{', 'null', '[]', '7', '"m"', '{}', '{"m":{}}', '{"m":null}', '{"M":[]}', '{"m":[]}}'])(
    '[PR4] that reads %j is refused',
    text => {
      expect(() => decodeBatch(upMessageSchema, text)).toThrow(/^invalid_request: the frame is not/);
    },
  );

  test('[PR5] is measured in bytes, and one byte too many is refused', () => {
    const frameOf = (length: number, unit: string) => {
      const empty = '{"m":[],"pad":""}';
      return `{"m":[],"pad":"${unit.repeat((length - empty.length) / Buffer.byteLength(unit))}"}`;
    };
    const max = limits.controlFrameBytesMax;
    expect(Buffer.byteLength(frameOf(max, 'x'))).toBe(max);
    expect(decodeBatch(upMessageSchema, frameOf(max, 'x')).messages).toEqual([]);
    expect(() => decodeBatch(upMessageSchema, frameOf(max + 1, 'x'))).toThrow('body_too_large');
    expect(() => decodeBatch(upMessageSchema, frameOf(max + 3, '漢'))).toThrow('body_too_large');
  });

  test('[PR5] holds no more messages than its limit', () => {
    const many = (length: number) => encodeBatch(Array.from({length}, () => drain));
    expect(decodeBatch(downMessageSchema, many(limits.controlBatchMax)).messages).toHaveLength(limits.controlBatchMax);
    expect(() => decodeBatch(downMessageSchema, many(limits.controlBatchMax + 1))).toThrow('invalid_request');
  });

  const go = '"task":"tsk_01arz3ndektsv4rrffq69g5fav","epoch":1,"echo":1,"log_ticket":"a"';
  test.for([
    `{"t":"go",${go},"__proto__":{"admin":true}}`,
    `{"t":"go",${go},"constructor":1}`,
    `{"t":"go",${go},"toString":1}`,
  ])('[PR6] takes no field in disguise: %s', message => {
    expect(() => decodeBatch(downMessageSchema, `{"m":[${message}]}`)).toThrow('go: ');
    expect(Object.hasOwn(Object.prototype, 'admin')).toBe(false);
  });

  test('[PR6] knows no type by inheritance', () => {
    const disguised = `{"m":[{"__proto__":{"t":"go"},${go}}]}`;
    expect(decodeBatch(downMessageSchema, disguised)).toEqual({messages: [], unknown: 1});
    for (const t of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
      expect(decodeBatch(downMessageSchema, JSON.stringify({m: [{t}]}))).toEqual({messages: [], unknown: 1});
    }
  });

  test('[PR6] gives no class of slots by inheritance', () => {
    const renew = '{"t":"renew","ts":1,"slots":{"__proto__":200,"default":1},"items":[]}';
    const [message] = decodeBatch(upMessageSchema, `{"m":[${renew}]}`).messages;
    expect(message).toEqual({t: 'renew', ts: 1, slots: {default: 1}, items: []});
    expect(Object.getPrototypeOf(message !== undefined && 'slots' in message ? message.slots : null)).toBe(
      Object.prototype,
    );
  });

  test('[PR7] that nests deeper than can be followed is refused like any wrong shape', () => {
    const deep = '['.repeat(400_000) + ']'.repeat(400_000);
    const event = `{"t":"event","task":"tsk_01arz3ndektsv4rrffq69g5fav","epoch":1,"seq":1,"kind":"a","data":${deep}}`;
    expect(() => decodeBatch(upMessageSchema, `{"m":[${event}]}`)).toThrow('invalid_request: event: nested too deeply');
  });

  test('[PR8] takes a code that only a newer runner knows as internal', () => {
    const task = taskIdSchema.parse('tsk_01arz3ndektsv4rrffq69g5fav');
    const reject = {t: 'reject', task, epoch: 1, code: 'from_tomorrow', detail: 'a', retryable: true};
    expect(decodeBatch(upMessageSchema, encodeBatch([reject])).messages).toEqual([{...reject, code: 'internal'}]);
  });
});

describe('frames for a peer', () => {
  const input = (data: string) => ({t: 'input', task: 'tsk_01arz3ndektsv4rrffq69g5fav', epoch: 1, seq: 0, data});

  test('[PR9] hold every message in its order, and each is one that the peer takes', () => {
    const lengths = fc.array(fc.integer({min: 0, max: limits.messageCharactersMax}), {maxLength: 120});
    fc.assert(
      fc.property(lengths, fc.constantFrom('x', '漢', '"'), (sizes, unit) => {
        const messages = sizes.map(length => input(unit.repeat(length)));
        const frames = encodeBatches(messages);
        expect(frames.flatMap(frame => decodeBatch(downMessageSchema, frame).messages)).toEqual(messages);
      }),
      {numRuns: 30},
    );
  });

  test('[PR9] are as few as one where all fits, and none for nothing', () => {
    expect(encodeBatches([])).toEqual([]);
    expect(encodeBatches([{t: 'drain'}, {t: 'resume'}])).toEqual(['{"m":[{"t":"drain"},{"t":"resume"}]}']);
    expect(encodeBatches(Array.from({length: limits.controlBatchMax + 1}, () => ({t: 'drain'})))).toHaveLength(2);
  });

  test('[PR9] several of the longest envelopes go in frames of their own', () => {
    const envelope = 'x'.repeat(limits.envelopeCharactersMax);
    const offer = {t: 'offer', task: 'tsk_01arz3ndektsv4rrffq69g5fav', epoch: 1, envelope, expires_in_ms: 1};
    expect(offerSchema.safeParse(offer).success).toBe(true);
    const frames = encodeBatches([offer, offer, offer]);
    expect(frames.flatMap(frame => decodeBatch(downMessageSchema, frame).messages)).toHaveLength(3);
  });

  test('[PR9] a message that fits none is said, not sent', () => {
    const large = input('x'.repeat(limits.controlFrameBytesMax));
    expect(() => encodeBatches([{t: 'drain'}, large])).toThrow('body_too_large: a message of type input');
  });
});
