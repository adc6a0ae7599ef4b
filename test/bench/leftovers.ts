const pending = new Set<() => void>();

/** Runs when this process ends, however it ends, unless the answer was called before: for children and directories. */
export function atExit(clean: () => void): () => void {
  pending.add(clean);
  return () => void pending.delete(clean);
}

process.on('exit', () => {
  for (const clean of pending) clean();
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(130));
