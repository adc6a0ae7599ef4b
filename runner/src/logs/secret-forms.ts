/** A shorter secret is not masked: it would hide ordinary words, and protects nothing. Bytes, after trimming. */
export const secretBytesMin = 6;

/**
 * Every text under which a secret may show up in a log: as it is, in the encodings that shells, JSON, URLs, headers and
 * base64 give it, and line by line. Distinct, each of at least `secretBytesMin` bytes. Whitespace in a form stands
 * for any run of whitespace (terminals and YAML rewrite it), which is for the matcher to grant.
 */
export function formsOfSecret(value: string): readonly Uint8Array[] {
  const whole = value.trim();
  const lines = whole.split(/[\r\n]+/).map(line => line.trim());
  const texts = new Set<string>([...textForms(whole), ...binaryForms(Buffer.from(whole)), ...lines.flatMap(textForms)]);
  return [...texts].map(text => Buffer.from(text)).filter(bytes => bytes.length >= secretBytesMin);
}

/** Forms that keep most characters. JSON twice, because an agent's JSON stream quotes tools that print JSON. */
function textForms(text: string): string[] {
  const json = jsonEscaped(text);
  return [
    text,
    json,
    jsonEscaped(json),
    asciiJson(json),
    json.replaceAll('/', '\\/'),
    ...urlForms(text),
    text.replaceAll("'", `'\\''`),
    text.replaceAll(/[\\"$`]/g, '\\$&'),
    text.replaceAll(/[^A-Za-z0-9_@%+=:,./\n-]/gu, '\\$&'),
    text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;'),
  ];
}

function jsonEscaped(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

function asciiJson(json: string): string {
  return json.replaceAll(/[^\0-\x7f]/g, unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function urlForms(text: string): string[] {
  // A lone surrogate has no URL form; its other forms still count.
  if (!text.isWellFormed()) return [];
  const usual = encodeURIComponent(text);
  const strict = usual.replaceAll(/[!'()*]/g, mark => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`);
  const upper = [usual, strict, strict.replaceAll('%20', '+'), encodeURI(text)];
  return [...upper, ...upper.map(form => form.replaceAll(/%[0-9A-F]{2}/g, code => code.toLowerCase()))];
}

function binaryForms(bytes: Buffer): string[] {
  const hex = bytes.toString('hex');
  const shifted = [0, 1, 2].map(shift => base64At(bytes, shift));
  const [aligned = ''] = shifted;
  return [
    hex,
    hex.toUpperCase(),
    ...shifted,
    ...shifted.map(text => text.replaceAll('+', '-').replaceAll('/', '_')),
    // `base64` and PEM writers break their lines; the break is whitespace, which matches any other.
    ...[64, 76].map(columns => aligned.replaceAll(new RegExp(`.{${columns}}(?=.)`, 'g'), '$&\n')),
  ];
}

/**
 * The characters of base64 that depend on these bytes alone when `shift` unknown bytes stand before them (as in
 * `user:secret` of basic authentication) and any bytes follow.
 */
function base64At(bytes: Buffer, shift: number): string {
  const text = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64');
  return text.slice(Math.ceil((shift * 8) / 6), Math.floor(((shift + bytes.length) * 8) / 6));
}
