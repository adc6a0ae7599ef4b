import fc from 'fast-check';
import {test} from 'vitest';
import * as z from 'zod';
import {contracts} from '@switchyard/shared/api/contracts.ts';
import {dispatchRequestSchema, dispatchSpec} from '@switchyard/shared/api/dispatch-view.ts';
import {parseJson} from '@switchyard/shared/domain/parse-json.ts';
import {taskSpecSchema} from '@switchyard/shared/domain/task-spec.ts';
import {decodeBatch, encodeBatch} from '@switchyard/shared/protocol/batch.ts';
import {downMessageSchema} from '@switchyard/shared/protocol/down.ts';
import {
  logDownSchema,
  logExchangeAnswerSchema,
  logExchangeSchema,
  logUpSchema,
  parseLogDown,
  parseLogUp,
  type LogControlParsed,
} from '@switchyard/shared/protocol/log-control.ts';
import {logViewDownSchema, logViewUpSchema} from '@switchyard/shared/protocol/log-view.ts';
import {upMessageSchema} from '@switchyard/shared/protocol/up.ts';
import {parseJsonBody} from '../../worker/src/http/body.ts';
import {validate} from '../../worker/src/http/validate.ts';
import {hear, newViewer} from '../../worker/src/tasklog/viewers.ts';
import {assertRoundTrip, assertTakesOnlyItsOwn, codec, jsonOf, refused, type Codec} from './codec-laws.ts';

const utf8 = (text: string): Uint8Array<ArrayBuffer> => new Uint8Array(Buffer.from(text));

/** A schema as a reader of JSON text, the way the runtime reads it. */
function schemaCodec(name: string, schema: z.ZodType, isStrict: boolean): Codec {
  return codec<unknown>({
    name,
    valid: jsonOf(schema),
    decode: text => schema.safeParse(parseJson(text)).data ?? refused,
    encode: value => JSON.stringify(value),
    isStrict,
  });
}

/** Messages of one type at a time, so that each gets its share of the runs. */
function frameCodecs(direction: string, union: typeof upMessageSchema | typeof downMessageSchema): readonly Codec[] {
  return union.options.map((option: z.ZodObject) =>
    codec<readonly object[]>({
      name: `decodeBatch ${direction} ${typeOf(option)}`,
      valid: fc.array(jsonOf(option), {minLength: 1, maxLength: 2}).map(messages => `{"m":[${messages.join(',')}]}`),
      decode: text => {
        const {messages, unknown} = decodeBatch(union, text);
        // Around the messages, and as a message of another type, a newer peer may say more.
        return unknown === 0 && isBatchAlone(text) ? messages : refused;
      },
      encode: encodeBatch,
      isStrict: true,
    }),
  );
}

const typeOf = ({shape}: z.ZodObject): string => (shape['t'] instanceof z.ZodLiteral ? String(shape['t'].value) : '');

const isBatchAlone = (text: string): boolean => Object.keys(JSON.parse(text)).join() === 'm';

function controlCodec<Message>(
  name: string,
  schema: z.ZodType<Message>,
  parse: (text: string) => LogControlParsed<Message>,
): Codec {
  return codec<Message>({
    name,
    valid: jsonOf(schema),
    decode: text => {
      const parsed = parse(text);
      return parsed.kind === 'message' ? parsed.message : refused;
    },
    encode: message => JSON.stringify(message),
  });
}

/** The body of an operation as the Worker reads it: bytes, JSON, schema. */
function bodyCodec(name: string, schema: z.ZodType): Codec {
  return codec<unknown>({
    name,
    valid: jsonOf(schema),
    decode: text => validate(schema, parseJsonBody(utf8(text), 'application/json') ?? null, 'body'),
    encode: value => JSON.stringify(value),
    isStrict: true,
  });
}

const sentBytes = 1_000_000;
const viewer = newViewer({from: sentBytes, epoch: null, nowMs: 1});
const acknowledgement = codec<number>({
  name: 'hear',
  valid: fc.nat({max: sentBytes}).map(to => JSON.stringify({t: 'ack', to})),
  decode: text => {
    const heard = hear({...viewer, acked: -1}, text, 2);
    return heard.ok ? heard.viewer.acked : refused;
  },
  encode: to => JSON.stringify({t: 'ack', to}),
});

const dispatched = codec<z.output<typeof dispatchRequestSchema>>({
  name: 'dispatchSpec',
  valid: jsonOf(dispatchRequestSchema),
  decode: text => {
    const request = validate(dispatchRequestSchema, parseJsonBody(utf8(text), 'application/json'), 'body');
    // What these clients ask for is either a task that everybody understands, or refused by the task's own schema.
    const spec = taskSpecSchema.safeParse(attempted(() => dispatchSpec(request)));
    if (spec.success) dispatchSpec(request);
    return request;
  },
  encode: request => JSON.stringify(request),
});

function attempted(make: () => unknown): unknown {
  try {
    return make();
  } catch (error) {
    if (error instanceof Error && error.name === 'ZodError') return undefined;
    throw error;
  }
}

const codecs: readonly Codec[] = [
  ...frameCodecs('up', upMessageSchema),
  ...frameCodecs('down', downMessageSchema),
  controlCodec('parseLogUp', logUpSchema, parseLogUp),
  controlCodec('parseLogDown', logDownSchema, parseLogDown),
  schemaCodec('logViewUp', logViewUpSchema, true),
  schemaCodec('logViewDown', logViewDownSchema, true),
  schemaCodec('logExchangeAnswer', logExchangeAnswerSchema, false),
  bodyCodec('logExchange', logExchangeSchema),
  schemaCodec('taskSpec', taskSpecSchema, true),
  acknowledgement,
  dispatched,
  ...contracts.flatMap(({id, body}) => (body === undefined ? [] : [bodyCodec(`body of ${id}`, body)])),
];

// The largest of them takes ten seconds of a processor, and there may be few.
test.for(codecs)('[PB2] $name takes nothing but what it could have said itself', {timeout: 300_000}, async codec => {
  await assertTakesOnlyItsOwn(codec, 150);
});

test.for(codecs)('[PB3] $name reads what was written', {timeout: 300_000}, async codec => {
  await assertRoundTrip(codec, 40);
});
