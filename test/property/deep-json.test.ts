import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {nestsDeeper, parseJson} from '@switchyard/shared/domain/parse-json.ts';
import {taskIdSchema} from '@switchyard/shared/domain/id.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {decodeBatch} from '@switchyard/shared/protocol/batch.ts';
import {upMessageSchema, type UpMessage} from '@switchyard/shared/protocol/up.ts';
import {decodeJsonLine, linesInitial} from '../../runner/src/agent/json-lines.ts';
import {framesOf} from '../../runner/src/link/frame-batch.ts';
import {tries} from './fuzz-settings.ts';

const task = taskIdSchema.parse('tsk_01arz3ndektsv4rrffq69g5fav');
const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);
/** A line of an agent that has this many levels altogether. */
const line = (levels: number): string => `{"type":"progress","at":${nested(levels - 1)}}`;

function eventOf(data: unknown): UpMessage {
  return {t: 'event', task, epoch: 1, seq: 0, kind: 'progress', data: data as null};
}

describe('JSON that nests', () => {
  test('[PB4] in a line of an agent becomes an event up to the limit, and log text beyond it', () => {
    expect(decodeJsonLine(linesInitial, line(limits.eventLevelsMax)).events).toHaveLength(1);
    expect(decodeJsonLine(linesInitial, line(limits.eventLevelsMax + 1)).events).toEqual([]);
  });

  test('[PB4] 4,000 levels in one line of an agent, which a schema cannot follow, end no runner', () => {
    const said: string[] = [];
    const data: unknown = JSON.parse(nested(4_000));
    const frames = framesOf([eventOf(data), {t: 'draining', held: 0}], text => said.push(text));
    expect(said).toEqual(['a message was not sent: event is nested too deeply']);
    expect(frames).toEqual(['{"m":[{"t":"draining","held":0}]}']);
    expect(decodeJsonLine(linesInitial, line(4_000)).events).toEqual([]);
  });

  test('[PB4] whatever an agent reports can be sent and is taken on the other side', () => {
    const value = fc.letrec(tie => ({
      value: fc.oneof(
        {maxDepth: 50, withCrossShrink: true},
        fc.constant(0),
        fc.array(tie('value'), {maxLength: 2, minLength: 1}),
      ),
    })).value;
    fc.assert(
      fc.property(value, at => {
        const [event] = decodeJsonLine(linesInitial, JSON.stringify({type: 'progress', at})).events;
        expect(event === undefined).toBe(nestsDeeper({at}, limits.eventLevelsMax));
        const frames = framesOf(event === undefined ? [] : [eventOf(event.data)], text => expect(text).toBe(''));
        for (const frame of frames) expect(decodeBatch(upMessageSchema, frame).messages).toEqual([eventOf({at})]);
      }),
      tries(200),
    );
  });

  test('[PB4] is no JSON of a stranger beyond the limit, and is found without following it', () => {
    expect(parseJson(nested(limits.jsonLevelsMax))).toBeDefined();
    expect(parseJson(nested(limits.jsonLevelsMax + 1))).toBeUndefined();
    expect(parseJson(nested(1_000_000))).toBeUndefined();
  });
});
