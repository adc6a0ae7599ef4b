import fc from 'fast-check';
import {expect, test} from 'vitest';
import {UsageReader, type Usage} from '../../runner/src/agent/proxy/usage-reader.ts';
import {tries} from './fuzz-settings.ts';
import {hostileText, outsideText} from './hostile-input.ts';

function usageOf(text: string, contentType = 'application/json'): Usage {
  const reader = new UsageReader(contentType);
  reader.push(Buffer.from(text));
  return reader.end();
}

test('[PB25] an answer whose figures are of another type counts by those that are figures', () => {
  expect(usageOf('{"usage":{"prompt_tokens":"many","input_tokens":5,"output_tokens":2}}')).toMatchObject({
    input: 5,
    output: 2,
  });
  expect(usageOf('{"message":{"usage":{"prompt_tokens":null,"input_tokens":5}}}')).toMatchObject({input: 5, output: 0});
});

test('[PB25] whatever a provider answers, its tokens are counted or none are', () => {
  const right = fc.constantFrom(
    '{"usage":{"prompt_tokens":9,"completion_tokens":3,"prompt_tokens_details":{"cached_tokens":4}}}',
    '{"message":{"usage":{"input_tokens":9,"output_tokens":3,"cache_read_input_tokens":1}}}',
    '{"response":{"usage":{"input_tokens":9,"input_tokens_details":{"cached_tokens":4}}}}',
    '{"usageMetadata":{"promptTokenCount":9,"cachedContentTokenCount":4}}',
  );
  fc.assert(
    fc.property(outsideText(right), hostileText, (text, more) => {
      const all = [usageOf(text), usageOf(`data:${text}\n\ndata: ${more}\n`, 'text/event-stream'), usageOf(more)];
      for (const usage of all)
        expect(Object.values(usage).every(count => Number.isFinite(count) && count >= 0)).toBe(true);
    }),
    tries(500),
  );
});
