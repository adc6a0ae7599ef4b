/** Subprotocol of the runner's WebSocket. */
export const RUNNER_SUBPROTOCOL = 'switchyard.runner.v1';

/**
 * One line per change of the wire. A runner offers the versions it speaks; the server picks the highest one both know
 * and closes with 4426 when there is none. `schemaHash` ties the line to the schemas: a test recomputes it.
 */
export const protocolHistory = [
  {version: 1, date: '2026-11-20', schemaHash: 'dea6a27e665182bf', change: 'First version.'},
] as const;

export const PROTOCOL_VERSION = 1;

/** WebSocket close codes of this protocol (RFC 6455 leaves 4000-4999 to applications). */
export const closeCodes = {
  unauthorized: 4401,
  revoked: 4403,
  replaced: 4409,
  protocolTooOld: 4426,
} as const;
