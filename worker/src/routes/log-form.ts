/** The forms in which a log is answered. */
type Form = 'events' | 'json' | 'bytes';

/** The first type of the list that is one of ours; bytes where none is. */
export function logForm(accept: string): Form {
  const forms: Readonly<Record<string, Form>> = {
    'text/event-stream': 'events',
    'application/json': 'json',
    'application/octet-stream': 'bytes',
    'text/plain': 'bytes',
  };
  const wanted = accept.split(',').map(range => range.split(';', 1)[0]?.trim().toLowerCase() ?? '');
  return wanted.map(range => forms[range]).find(form => form !== undefined) ?? 'bytes';
}
