/**
 * One name for all addresses of a repository, for what is counted and compared: by https or ssh, with or without a user, a
 * port, `.git` or a slash at the end, encoded or not, in any case. What is a name already stays as it is. Git is always
 * given the address itself.
 */
export function repositoryName(address: string): string {
  if (/^file:/i.test(address)) return address.replace(/\/+$/, '');
  const url = URL.parse(address);
  const short = /^(?:[^@/]*@)?([^:/@[\]]+):(.*)$/s.exec(address);
  if (url !== null && url.host !== '') return nameOf(url.hostname, url.pathname);
  return short === null ? address : nameOf(short[1] ?? '', short[2] ?? '');
}

export const nameOrNull = (address: string | null): string | null =>
  address === null ? null : repositoryName(address);

function nameOf(host: string, path: string): string {
  const parts = decoded(path)
    .split('/')
    .filter(part => part !== '' && part !== '.');
  return [host.replace(/\.$/, ''), ...parts]
    .join('/')
    .toLowerCase()
    .replace(/\.git$/, '');
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
