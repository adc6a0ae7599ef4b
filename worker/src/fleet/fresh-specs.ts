/** Together; a spec is a few kilobytes, and most tasks are offered in the batch in which they come. */
const charactersMax = 4_000_000;

/**
 * The specs of tasks that were submitted a moment ago and not offered yet, so that an offer need not read back what was
 * just written. A spec that is missing here is in the database.
 */
export class FreshSpecs {
  readonly #specs = new Map<string, string>();
  #characters = 0;

  /** Above the limit the oldest make room. */
  add(task: string, spec: string): void {
    this.take(task);
    this.#specs.set(task, spec);
    this.#characters += spec.length;
    for (const oldest of this.#specs.keys()) {
      if (this.#characters <= charactersMax) return;
      this.take(oldest);
    }
  }

  take(task: string): string | undefined {
    const spec = this.#specs.get(task);
    if (spec === undefined) return undefined;
    this.#specs.delete(task);
    this.#characters -= spec.length;
    return spec;
  }
}
