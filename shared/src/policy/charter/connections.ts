import {textOf, type Word} from './shell-tree.ts';

/** Programs whose words name the machines that they talk to. */
const networked = new Set([
  ...[
    'curl',
    'wget',
    'http',
    'https',
    'xh',
    'aria2c',
    'ssh',
    'scp',
    'sftp',
    'rsync',
    'ftp',
    'telnet',
    'nc',
    'ncat',
    'netcat',
  ],
  ...['socat', 'ping', 'dig', 'nslookup', 'host', 'nmap', 'traceroute', 'whois', 'git', 'openssl', 'mosh', 'rclone'],
  ...[
    'wget2',
    'curlie',
    'httpie',
    'hurl',
    'axel',
    'lynx',
    'w3m',
    'links',
    'elinks',
    'yt-dlp',
    'sshfs',
    'autossh',
    'mtr',
  ],
  ...['mail', 'mailx', 'sendmail', 'mutt', 'ldapsearch', 'smbclient', 'xdg-open', 'svn', 'hg', 'jj'],
]);
/** Copy between files as well as between machines. */
const perhapsLocal = new Set(['rsync', 'openssl']);

/** The hosts that a program talks to by its words; undefined among them where a word does not show its host. */
export function readConnections(program: string, words: readonly Word[]): readonly (string | undefined)[] {
  if (!networked.has(program)) return [];
  const hosts = words.flatMap(word => hostsIn(word, program));
  if (hosts.length === 0) return perhapsLocal.has(program) ? [] : [undefined];
  return [...new Set(hosts)];
}

function hostsIn(word: Word, program: string): readonly (string | undefined)[] {
  if (word.literal.startsWith('-') && word.unknownAt === undefined && !word.literal.includes('://')) return [];
  const text = textOf({...word, globAt: undefined});
  if (text === undefined) return [undefined];
  const found = hostOf(text);
  if (found !== undefined) return [found];
  if (program === 'git') return [];
  // These take files as well; the others take a bare name for a host.
  const bare = perhapsLocal.has(program)
    ? /^(?<host>[\w.-]+):/.exec(text)
    : /^(?:[\w-]+@)?(?<host>[\w-]+(?:\.[\w-]+)*)(?:[:/].*)?$/.exec(text);
  const host = bare?.groups?.['host'];
  return host === undefined ? [] : [host.toLowerCase()];
}

/** The host of a URL, or of `user@host:path`; the part before the first slash is what the network sees. */
export function hostOf(text: string): string | undefined {
  const url = /^-*[\w=-]*?[a-z][a-z0-9+.-]*:\/\/(?:[^/?#\\]*@)?(?<host>\[[^\]]*\]|[^/?#:\\@]*)/i.exec(text)?.groups?.[
    'host'
  ];
  const remote = /^(?:[\w.-]+@)(?<host>[\w.-]+):/.exec(text)?.groups?.['host'];
  return (url ?? remote)?.toLowerCase();
}
