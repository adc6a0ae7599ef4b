import {SwitchyardError} from '@switchyard/shared/domain/error.ts';

/** Names under which an installation may be called, in lower case; undefined where routes of the platform settle it. */
export type KnownHosts = ReadonlySet<string> | undefined;

/** `names` are separated by commas; an empty list leaves addresses and localhost. */
export function knownHosts(names: string | undefined): KnownHosts {
  if (names === undefined) return undefined;
  return new Set(
    names
      .split(',')
      .map(name => name.trim().toLowerCase())
      .filter(name => name !== ''),
  );
}

/**
 * A page of any website can point a name of its own to 127.0.0.1 or into a local network, and is then of one origin
 * with whatever answers there (DNS rebinding). It cannot do so with an address, with localhost, or with a name that is
 * not its own. Throws `invalid_request` for any other name.
 */
export function requireKnownHost(request: Request, hosts: KnownHosts): void {
  if (hosts === undefined) return;
  const {url} = request;
  // All that follows the first slash says nothing of the host.
  const origin = url.slice(0, url.indexOf('/', url.indexOf('://') + 3) + 1);
  if (origin !== '' && origin === lastKnown.get(hosts)) return;
  const {hostname} = new URL(url);
  if (!isAddress(hostname) && hostname !== 'localhost' && !hosts.has(hostname))
    throw new SwitchyardError(
      'invalid_request',
      'the header Host names no host of this installation: call it by its address, or list the name in SWITCHYARD_HOSTS',
    );
  lastKnown.set(hosts, origin);
}

/** The text before the path of the last request that was let in: nearly all requests begin alike, and parsing is dear. */
const lastKnown = new WeakMap<ReadonlySet<string>, string>();

/** A URL has its IPv4 address in four decimal numbers, however it was written. */
function isAddress(hostname: string): boolean {
  return hostname.startsWith('[') || /^\d{1,3}(?:\.\d{1,3}){3}$/.test(hostname);
}
