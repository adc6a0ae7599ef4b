import {SwitchyardError} from '@switchyard/shared/domain/error.ts';

/** The subprotocols that a client offers, in its order. */
export function offeredProtocols(request: Request): readonly string[] {
  const header = request.headers.get('sec-websocket-protocol');
  return header === null ? [] : header.split(',').map(text => text.trim());
}

export function requireUpgrade(request: Request): void {
  if (request.headers.get('upgrade')?.toLowerCase() !== 'websocket')
    throw new SwitchyardError('invalid_request', 'this path is a WebSocket: the header Upgrade is missing');
}

/**
 * The request that an object gets in place of the client's: an upgrade with the headers that the Worker vouches for and
 * nothing else, so that no header of a client is ever taken for one of ours.
 */
export function upgradeRequest(
  url: string,
  vouched: Readonly<Record<string, string>>,
  protocol: string | undefined,
): Request {
  const headers = new Headers({upgrade: 'websocket', ...vouched});
  if (protocol !== undefined) headers.set('sec-websocket-protocol', protocol);
  return new Request(url, {headers});
}
