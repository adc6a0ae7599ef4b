import {errorCodes} from '@switchyard/shared/domain/error.ts';
import {notice, table} from './markdown.ts';

export function errorTable(): string {
  const rows = Object.entries(errorCodes).map(([code, {status, retry, hint}]) => [
    `\`${code}\``,
    String(status),
    retry ? 'yes' : 'no',
    hint,
  ]);
  return [
    notice('shared/src/domain/error.ts'),
    '# Errors',
    'Every refusal and failure has one of these codes. A code never changes its meaning. Over HTTP it is the `code` of a problem document (RFC 9457) with this status; *retry* says whether the same request may succeed later without a change.',
    table(['Code', 'Status', 'Retry', 'Next step'], rows),
  ].join('\n\n');
}
