import {readdirSync, readFileSync} from 'node:fs';

/** Processes as /proc shows them, read without the product's own code: the tester must not share its mistakes. */
export type Seen = {
  readonly pid: number;
  readonly parent: number;
  readonly arguments: string;
  readonly environment: string;
};

/** The start time of a living process, in ticks since boot; undefined when there is none. A zombie has ended. */
export function startOf(pid: number): string | undefined {
  const fields = statOf(pid);
  return fields === undefined || /[ZX]/.test(fields[0] ?? '') ? undefined : fields[19];
}

export function processes(): Seen[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .flatMap(name => {
      const fields = statOf(Number(name));
      if (fields === undefined || /[ZX]/.test(fields[0] ?? '')) return [];
      const seen = {pid: Number(name), parent: Number(fields[1])};
      return [{...seen, arguments: textOf(`/proc/${name}/cmdline`), environment: textOf(`/proc/${name}/environ`)}];
    });
}

/** The fields after the name, which may hold spaces and parentheses. */
function statOf(pid: number): string[] | undefined {
  const stat = textOf(`/proc/${pid}/stat`);
  return stat === '' ? undefined : stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
