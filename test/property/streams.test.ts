import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import * as z from 'zod';
import {readBounded} from '@switchyard/shared/api/api-answer.ts';
import {apiClient} from '@switchyard/shared/api/client.ts';
import {contracts} from '@switchyard/shared/api/contracts.ts';
import {eventStreamParser, type ServerEvent} from '@switchyard/shared/api/event-stream.ts';
import {decodeLogEvent} from '@switchyard/shared/api/log-follow.ts';
import {installationSecret, signingJwks} from '../../worker/src/installation-secrets.ts';
import {leaseConfig} from '../../worker/src/lease-config.ts';
import {knownHosts} from '../../worker/src/http/known-host.ts';
import {logForm} from '../../worker/src/routes/log-form.ts';
import {LogEvents} from '../../worker/src/routes/log-events.ts';
import {leaseConfigSchema} from '@switchyard/shared/protocol/down.ts';
import {outcomeOf, refused} from './codec-laws.ts';
import {tries} from './fuzz-settings.ts';
import {damagedText, hostileBytes, hostileText, outsideText} from './hostile-input.ts';
import {valuesOf} from './schema-arbitrary.ts';

/** Section 9.2.6 of the HTML standard over the whole text at once, line by line. */
function eventsOf(text: string): readonly ServerEvent[] {
  const lines = text
    .replace(/^\ufeff/, '')
    .split(/\r\n|\n|\r/)
    .slice(0, -1);
  const events: ServerEvent[] = [];
  let fields = {event: '', data: [] as string[]};
  let id = '';
  for (const line of lines) {
    const [, name = line, value = ''] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
    if (line === '') {
      if (fields.data.length > 0) events.push({event: fields.event || 'message', id, data: fields.data.join('\n')});
      fields = {event: '', data: []};
    } else if (name === 'event') fields.event = value;
    else if (name === 'data') fields.data.push(value);
    else if (name === 'id' && !value.includes('\0')) id = value;
  }
  return events;
}

const streamParts = fc.array(
  fc.constantFrom(
    'data: a',
    'data:b',
    'data',
    'id: 5',
    'id:\0',
    'event: log',
    'event',
    ':',
    ': beat',
    '\n',
    '\r',
    '\r\n',
    '\n\n',
    'é',
    ' ',
    'x: y',
    '\ufeff',
  ),
  {maxLength: 25},
);

describe('a stream of events', () => {
  test('[PB20] gives the events of the whole, however it arrives', () => {
    fc.assert(
      fc.property(streamParts, fc.array(fc.nat({max: 200}), {maxLength: 20}), (parts, cuts) => {
        // What ends in CR may go on with LF, so the last event is complete with a line that follows.
        const bytes = Buffer.from(`${parts.join('')}\n:end`);
        const parser = eventStreamParser();
        const edges = [0, ...cuts.map(cut => Math.min(cut, bytes.length)), bytes.length].toSorted((a, b) => a - b);
        const events = edges.slice(1).flatMap((edge, index) => parser.push(bytes.subarray(edges[index], edge)));
        expect(events).toEqual(eventsOf(bytes.toString()));
      }),
      tries(400),
    );
  });

  test('[PB20] of any bytes gives events or is refused, and each event is bytes of a log or refused', async () => {
    const real = fc.constant('event: log\nid: 3\ndata: {"from":0,"text":"abc"}\n\n');
    await fc.assert(
      fc.asyncProperty(fc.oneof(hostileText, damagedText(real)), async text => {
        const events = await outcomeOf(() => eventStreamParser().push(Buffer.from(text)));
        for (const event of events === refused ? [] : (events as readonly ServerEvent[]))
          await outcomeOf(() => decodeLogEvent(event));
        await outcomeOf(() => decodeLogEvent({event: 'log', id: '0', data: text}));
        await outcomeOf(() => decodeLogEvent({event: 'end', id: '', data: text}));
      }),
      tries(300),
    );
  });

  test('[PB20] holds the bytes of a log as they are, from the one side to the other', () => {
    fc.assert(
      fc.property(fc.array(hostileBytes, {maxLength: 5}), fc.nat({max: 2 ** 40}), (chunks, from) => {
        const events = new LogEvents(from);
        const parser = eventStreamParser();
        const sent = [...chunks.map(chunk => events.take(chunk)), events.flush()];
        const items = sent.flatMap(bytes => (bytes === undefined ? [] : parser.push(bytes))).map(decodeLogEvent);
        const got = items.map(item => (item?.kind === 'bytes' ? Buffer.from(item.bytes) : Buffer.alloc(0)));
        expect(Buffer.concat(got)).toEqual(Buffer.concat(chunks));
      }),
      tries(150),
    );
  });
});

const operations = contracts.flatMap(contract =>
  Object.entries(contract.responses).map(([status, schema]) => ({
    name: `${contract.id} ${status}`,
    contract,
    status: Number(status),
    schema,
  })),
);

describe('the client of the API', () => {
  test.for(operations)(
    '[PB21] takes an answer to $name that is promised, and refuses every other as documented',
    async ({contract, status, schema}) => {
      const input = {
        params:
          contract.params === undefined ? undefined : fc.sample(valuesOf(contract.params), {numRuns: 1, seed: 1})[0],
        body: {},
      };
      const answering = (text: string) =>
        apiClient({
          url: 'https://switchyard.test',
          surroundings: {fetch: async () => new Response(status === 204 ? null : text, {status}), newKey: () => 'key'},
        }).call(contract, input);
      const promised = valuesOf(schema).map(value => JSON.stringify(value));
      await fc.assert(
        fc.asyncProperty(promised, outsideText(promised), async (right, other) => {
          expect(JSON.stringify(await answering(right))).toBe(JSON.stringify(schema.parse(JSON.parse(right))));
          const taken = await outcomeOf(() => answering(other));
          expect(taken === refused || schema.safeParse(taken).success).toBe(true);
        }),
        tries(12),
      );
    },
  );

  test('[PB21] turns any failure of any server into an error of ours', async () => {
    const failing = fc.record({
      status: fc.constantFrom(300, 400, 401, 404, 409, 429, 500, 502, 503, 520, 599),
      text: hostileText,
      retryAfter: fc.stringMatching(/^[ -~]{0,9}$/),
    });
    await fc.assert(
      fc.asyncProperty(failing, async ({status, text, retryAfter}) => {
        const fetch = async (): Promise<Response> => new Response(text, {status, headers: {'retry-after': retryAfter}});
        const client = apiClient({url: 'https://switchyard.test', surroundings: {fetch, newKey: () => 'key'}});
        const [contract] = contracts.filter(({id}) => id === 'listRunners');
        expect(await outcomeOf(() => contract && client.call(contract, {}))).toBe(refused);
        expect(await readBounded(new Response(text))).toBe(
          Buffer.from(text)
            .toString()
            .replace(/^\ufeff/, ''),
        );
      }),
      tries(100),
    );
  });
});

describe('the settings of an installation', () => {
  const lease = valuesOf(leaseConfigSchema.partial()).map(value => JSON.stringify(value));

  test('[PB22] are what their schema says or refused as documented', async () => {
    await fc.assert(
      fc.asyncProperty(outsideText(lease), outsideText(fc.constant('[{"kty":"OKP"}]')), async (text, keys) => {
        for (const leaseClass of ['standard', 'patient'] as const) {
          const config = await outcomeOf(() => leaseConfig({SWITCHYARD_LEASE: text}, leaseClass));
          expect(config === refused || leaseConfigSchema.safeParse(config).success, text).toBe(true);
        }
        await outcomeOf(() => signingJwks({SWITCHYARD_SIGNING_KEYS: keys}));
        await outcomeOf(() => installationSecret({SWITCHYARD_SECRET: keys}));
        expect(knownHosts(text)?.has('')).toBe(false);
        expect(['events', 'json', 'bytes']).toContain(logForm(text));
      }),
      tries(200),
    );
    // Ten times this is no integer that a runner takes: no patient runner could have connected.
    expect(() => leaseConfig({SWITCHYARD_LEASE: '{"ttl_ms":900719925474100}'}, 'standard')).toThrow('ttl_ms');
    expect(z.array(z.unknown()).safeParse(signingJwks({SWITCHYARD_SIGNING_KEYS: '[{}]'})).success).toBe(true);
  });
});
