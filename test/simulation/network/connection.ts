import type {Direction, Line} from './line.ts';

/** What one end of a connection is told. Nothing is told to an end that has closed. */
export type End<Frame> = {
  readonly frame: (frame: Frame) => void;
  readonly closed: (code: number | undefined, why: string) => void;
};

type Item<Frame> = {readonly frame: Frame} | {readonly code: number | undefined; readonly why: string};

/** How a connection breaks: both ends notice, or one does and the other has to find out. `late`: what was on its way up still arrives. */
export type Cut = 'both' | 'machine' | 'server' | 'late';

const lateMs = 3_000;

/** One TCP stream: each direction keeps its order, and loses at most what stands at its end. */
export class Connection<Up, Down> {
  readonly id: string;
  readonly #line: Line;
  readonly #ends: {server: End<Up> | undefined; machine: End<Down> | undefined};
  readonly #lastAtMs = {up: 0, down: 0};
  readonly #isCut = {up: false, down: false};
  inFlight = 0;

  constructor(id: string, line: Line, ends: {server: End<Up>; machine: End<Down>}) {
    this.id = id;
    this.#line = line;
    this.#ends = {...ends};
  }

  get isOpenAtServer(): boolean {
    return this.#ends.server !== undefined;
  }

  get isOpenAtMachine(): boolean {
    return this.#ends.machine !== undefined;
  }

  up(frame: Up): void {
    if (this.isOpenAtMachine) this.#carry('up', {frame});
  }

  down(frame: Down): void {
    if (this.isOpenAtServer) this.#carry('down', {frame});
  }

  /** This end closes; the other one hears of it behind everything that was sent. */
  closeAtServer(code: number, why: string): void {
    if (!this.isOpenAtServer) return;
    this.#ends.server = undefined;
    this.#carry('down', {code, why});
  }

  closeAtMachine(why: string): void {
    if (!this.isOpenAtMachine) return;
    this.#ends.machine = undefined;
    this.#carry('up', {code: 1_000, why});
  }

  /** The process or the machine at this end is gone; `isNoticed` where its kernel still says so to the other. */
  abandonAtMachine(isNoticed: boolean): void {
    if (isNoticed) this.closeAtMachine('the process ended');
    this.#ends.machine = undefined;
  }

  abandonAtServer(): void {
    const {machine} = this.#ends;
    this.#ends.server = undefined;
    this.#isCut.up = true;
    if (machine !== undefined) this.#carry('down', {code: 1_006, why: 'the object was restarted'});
  }

  /** Answers whether anything was open to break. */
  cut(how: Cut): boolean {
    if (!this.isOpenAtMachine && !this.isOpenAtServer) return false;
    this.#isCut.down = true;
    if (how === 'late') this.#lastAtMs.up = Math.max(this.#lastAtMs.up, this.#line.timeline.nowMs + lateMs);
    else this.#isCut.up = true;
    const {machine, server} = this.#ends;
    if (how !== 'server' && machine !== undefined) {
      this.#ends.machine = undefined;
      this.#line.timeline.after(1, () => machine.closed(undefined, 'cut'));
    }
    if ((how === 'both' || how === 'server') && server !== undefined) {
      this.#ends.server = undefined;
      this.#line.timeline.after(1, () => server.closed(undefined, 'cut'));
    }
    return true;
  }

  #carry(direction: Direction, item: Item<Up | Down>): void {
    if (this.#isCut[direction]) return;
    const {timeline} = this.#line;
    const at = Math.max(
      this.#lastAtMs[direction],
      timeline.nowMs + this.#line.latencyMs(),
      this.#line.blockedUntilMs(direction),
    );
    this.#lastAtMs[direction] = at;
    this.inFlight += 1;
    timeline.at(at, () => this.#arrive(direction, item));
  }

  #arrive(direction: Direction, item: Item<Up | Down>): void {
    const {timeline} = this.#line;
    const untilMs = this.#line.blockedUntilMs(direction);
    if (untilMs > timeline.nowMs) {
      this.#line.onEffect('partition');
      this.#lastAtMs[direction] = Math.max(this.#lastAtMs[direction], untilMs);
      timeline.at(untilMs, () => this.#arrive(direction, item));
      return;
    }
    this.inFlight -= 1;
    if (this.#isCut[direction]) return;
    if (direction === 'up') this.#deliver('server', item as Item<Up>);
    else this.#deliver('machine', item as Item<Down>);
  }

  #deliver(side: 'server', item: Item<Up>): void;
  #deliver(side: 'machine', item: Item<Down>): void;
  #deliver(side: 'server' | 'machine', item: Item<never>): void {
    const end = this.#ends[side];
    if (end === undefined) return;
    if ('frame' in item) {
      end.frame(item.frame);
      return;
    }
    this.#ends[side] = undefined;
    end.closed(item.code, item.why);
  }
}
