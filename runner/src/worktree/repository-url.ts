import {createHash} from 'node:crypto';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';

const referenceCharactersMax = 2_000;
const slugCharactersMax = 40;
const portMax = 65_535;

/** A repository that may be given to git: every part was checked, nothing in it can be read as an option or a command. */
export interface Repository {
  /** Canonical form. Two references with the same id are the same repository; it never holds a credential. */
  readonly id: string;
  /** What git is given. */
  readonly url: string;
  readonly protocol: 'https' | 'ssh' | 'file';
  /** Lower case; empty for a local repository. */
  readonly host: string;
  /** Path on the host without the leading slash and, for https, without `.git`. */
  readonly path: string;
  /** A directory name that only this repository has: a readable part and 64 bits of the hash of the id. */
  readonly directory: string;
}

/**
 * Reads `https://host/path`, `ssh://[user@]host[:port]/path`, `user@host:path`, `file:///path` or an absolute path.
 * Throws `repository_invalid`; the message never repeats a credential that was in the reference.
 */
export function parseRepository(reference: string): Repository {
  const problem = problemOf(reference);
  if (problem !== undefined) refuse(problem);
  if (reference.startsWith('/')) return localRepository(reference);
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//.exec(reference)?.[1]?.toLowerCase();
  if (scheme === 'https') return httpsRepository(reference);
  if (scheme === 'ssh') return sshRepository(reference);
  if (scheme === 'file') return localRepository(pathOfFileUrl(reference));
  if (scheme !== undefined) refuse(`the scheme ${scheme} is not allowed; use https, ssh or file`);
  return scpRepository(reference);
}

/** What no reference may have, of whatever kind it is. */
function problemOf(reference: string): string | undefined {
  if (reference === '') return 'it is empty';
  if (reference.length > referenceCharactersMax) return `it is longer than ${referenceCharactersMax} characters`;
  if (/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(reference)) return 'it holds a control or invisible character';
  if (reference.startsWith('-')) return 'it begins with a dash';
  if (reference.includes('\\')) return 'it holds a backslash';
  if (/^[A-Za-z0-9+.-]+::/.test(reference)) return 'remote helpers (name::address) are not allowed';
  return undefined;
}

function httpsRepository(reference: string): Repository {
  if (/^[^/]*\/\/[^/]*@/.test(reference)) {
    refuse('it holds a user name or a credential; remove it and set up a credential helper');
  }
  if (/^[^/]*\/\/\//.test(reference)) refuse('it names no host');
  checkSegments(reference.slice('https://'.length).split('/').slice(1), {allowSpace: false});
  const url = URL.parse(reference);
  if (url === null || url.hostname === '') return refuse('it is not a URL');
  if (url.search !== '' || url.hash !== '' || /[?#]/.test(reference)) refuse('it has a query or a fragment');
  checkedHost(url.hostname);
  const path = trimPath(url.pathname).replace(/\.git$/, '');
  if (path === '') refuse('it names no repository');
  return repository({
    protocol: 'https',
    host: url.host,
    path,
    url: `https://${url.host}/${trimPath(url.pathname)}`,
    id: `https://${url.host}/${path}`,
  });
}

function sshRepository(reference: string): Repository {
  const match = /^ssh:\/\/(?:([^@/]*)@)?(\[[0-9A-Fa-f:.]+\]|[^:/@[\]]+)(?::(\d{1,5}))?\/(.+)$/i.exec(reference);
  if (match === null) return refuse('it is not an ssh URL: ssh://[user@]host[:port]/path');
  const [, user, host = '', port, rawPath = ''] = match;
  const path = checkedRemotePath(rawPath);
  if (port !== undefined && (Number(port) < 1 || Number(port) > portMax)) refuse(`the port ${port} does not exist`);
  const at = `${checkedUser(user)}${checkedHost(host)}${port === undefined || Number(port) === 22 ? '' : `:${Number(port)}`}`;
  const url = `ssh://${at}/${path}`;
  return repository({protocol: 'ssh', host: host.toLowerCase(), path, url, id: url});
}

/** `user@host:path` is relative to the home of the user, which is another repository than `ssh://user@host/path` may be. */
function scpRepository(reference: string): Repository {
  const match = /^(?:([^@/:]*)@)?([^@/:[\]]+):(.+)$/.exec(reference);
  if (match === null) return refuse('use an https, ssh or file URL, user@host:path, or an absolute path');
  const [, user, host = '', rawPath = ''] = match;
  if (user === undefined) refuse('name the user: user@host:path');
  if (rawPath.startsWith('//')) refuse('the path has an empty part');
  if (rawPath.startsWith(':')) refuse('the path begins with a colon');
  const path = checkedRemotePath(rawPath.replace(/^\//, ''));
  const at = `${checkedUser(user)}${checkedHost(host)}`;
  const isAbsolute = rawPath.startsWith('/');
  return repository({
    protocol: 'ssh',
    host: host.toLowerCase(),
    path,
    url: isAbsolute ? `ssh://${at}/${path}` : `${at}:${path}`,
    id: isAbsolute ? `ssh://${at}/${path}` : `ssh://${at}/~/${path}`,
  });
}

function pathOfFileUrl(reference: string): string {
  const match = /^file:\/\/(localhost)?(\/[^?#]*)$/i.exec(reference);
  if (match === null) return refuse('a file URL is file:///absolute/path');
  const path = decoded(match[2] ?? '');
  if (/\p{Cc}|\\/u.test(path)) refuse('it holds a control character');
  return path;
}

/** A local repository is always read through `file://`: the shortcut for plain paths would share its object files. */
function localRepository(path: string): Repository {
  const trimmed = trimPath(path);
  if (path.startsWith('//')) refuse('the path has an empty part');
  if (trimmed === '') refuse('it names no repository');
  checkSegments(trimmed.split('/'), {allowSpace: true});
  const url = `file:///${trimmed.split('/').map(encodeURIComponent).join('/')}`;
  return repository({protocol: 'file', host: '', path: trimmed, url, id: url});
}

function checkedRemotePath(rawPath: string): string {
  const path = rawPath.replace(/\/+$/, '');
  if (path === '') refuse('it names no repository');
  if (/[?#]/.test(path)) refuse('it has a query or a fragment');
  checkSegments(path.split('/'), {allowSpace: false});
  return path;
}

function checkedUser(user: string | undefined): string {
  if (user === undefined) return '';
  if (user.includes(':')) refuse('it holds a credential; remove it and set up a credential helper or an ssh key');
  if (!/^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$/.test(user)) refuse('the user name is not plain');
  return `${user}@`;
}

function checkedHost(host: string): string {
  if (!/^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252}))$/.test(host))
    refuse('the host is not a host name');
  return host.toLowerCase();
}

/** A part may not step up, hide an option, or mean something else after decoding. */
function checkSegments(segments: readonly string[], {allowSpace}: {allowSpace: boolean}): void {
  const parts = segments.at(-1) === '' ? segments.slice(0, -1) : segments;
  for (const part of parts) {
    const plain = allowSpace ? part : decoded(part);
    if (plain === '') refuse('the path has an empty part');
    if (plain === '.' || plain === '..') refuse('the path steps up with . or ..');
    if (plain.startsWith('-')) refuse('a part of the path begins with a dash');
    if (!allowSpace && /[\p{Cc}\s/\\"'`$|;&<>{}()*^]/u.test(plain))
      refuse('the path holds a character that no repository needs');
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return refuse('it is not well encoded');
  }
}

function trimPath(path: string): string {
  return path.replace(/^\/+|\/+$/g, '');
}

function repository(parts: Omit<Repository, 'directory'>): Repository {
  const slug = parts.path
    .split('/')
    .slice(-2)
    .join('-')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(-slugCharactersMax)
    .replace(/^-+|-+$/g, '');
  const hash = createHash('sha256').update(parts.id).digest('hex').slice(0, 16);
  return {...parts, directory: slug === '' ? hash : `${slug}-${hash}`};
}

function refuse(why: string): never {
  throw new SwitchyardError('repository_invalid', `The repository was refused: ${why}.`);
}
