/**
 * What a peer sends, as one text: decoded as a whole, since a character may come in two parts. `undefined` once it is
 * longer than `bytesMax`; the rest is then not read.
 */
export async function boundedText(
  chunks: AsyncIterable<Uint8Array | string> | Iterable<Uint8Array | string>,
  bytesMax: number,
): Promise<string | undefined> {
  const decoder = new TextDecoder();
  const encoder = new TextEncoder();
  let text = '';
  let length = 0;
  for await (const chunk of chunks) {
    const bytes = typeof chunk === 'string' ? encoder.encode(chunk) : chunk;
    length += bytes.length;
    if (length > bytesMax) return undefined;
    text += decoder.decode(bytes, {stream: true});
  }
  return text + decoder.decode();
}

/** The chunks of a body; whoever stops reading ends the answer. By a reader, since not every browser can iterate a stream. */
export async function* chunksOf(response: Response): AsyncGenerator<Uint8Array, void, void> {
  const reader = response.body?.getReader();
  if (reader === undefined) return;
  try {
    for (;;) {
      const {done, value} = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
