/** The value that a text of JSON states; undefined, which JSON cannot state, when it is none. For texts of strangers. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
