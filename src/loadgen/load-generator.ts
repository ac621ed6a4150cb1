/**
 * The load generator as a handler: it keeps a number of connections open and busy, and counts what comes
 * back.
 *
 * Strategy: the run is a pure reaction to events and to the batch clock, so it is the same on every engine.
 * In a closed loop each response is answered with the next request at once, in the same batch. In an open
 * loop requests are due by a schedule; at the end of each batch those that are due go to the connections that
 * are free, the longest free one first, and those that find none wait. Latency counts from the moment a
 * request was due, so that waiting is seen (coordinated omission, Tene). Both moments are read from the batch
 * clock, so latencies include what the generator itself took to get to the event, never less.
 *
 * Phases: warm-up (nothing counts) → measurement → in an open loop, a drain: what was due is still sent and
 * answered, for at most one time-out.
 *
 * @hot
 */
import { FINE_SUB_BITS, histogramRecord } from "../base/histogram.ts";
import { Errno } from "../contract/errno.ts";
import type { Handler, Port } from "../contract/port.ts";
import { FreeRing } from "./free-ring.ts";
import type { RequestSlots } from "./request.ts";
import { Reading, ResponseReader, type ResponseSink } from "./response-reader.ts";
import { Schedule } from "./schedule.ts";
import { ErrorKind, type Tally } from "./tally.ts";

/** What a generator needs to know; all spans in milliseconds. */
export interface LoadPlan {
  /** As `Port.connect` takes it. */
  readonly address: string;
  readonly connections: number;
  readonly pipeline: number;
  /** 0 for a closed loop. */
  readonly ratePerSecond: number;
  readonly warmupMs: number;
  readonly durationMs: number;
  readonly timeoutMs: number;
  /** A `Method` id of the http1 package. */
  readonly method: number;
  /** Bytes of one request. */
  readonly requestLength: number;
  /** The request itself asks for the connection to be closed. */
  readonly closes: boolean;
}

const FREE = 0;
const CONNECTING = 1;
const OPEN = 2;
/** Connections that are being opened at one time: a listen backlog is not overrun at the start. */
const CONNECTING_MAX = 256;
/** After a connection could not be opened, none is tried for so long. */
const RECONNECT_PAUSE_MS = 100;
/** When after so long not one connection stands and some were refused, the run is given up. */
const HOPELESS_MS = 1000;
const SWEEP_MS_MAX = 100;
const SUB_BITS = FINE_SUB_BITS;
const READING_OPEN = Reading.open;
const READING_LAST = Reading.last;
const ERROR_CONNECT = ErrorKind.connect;
const ERROR_READ = ErrorKind.read;
const ERROR_WRITE = ErrorKind.write;
const ERROR_TIMEOUT = ErrorKind.timeout;
const ERROR_BAD_RESPONSE = ErrorKind.badResponse;
const ERROR_CLOSED_EARLY = ErrorKind.closedEarly;
const TIMED_OUT = Errno.ETIMEDOUT;
const BROKEN_PIPE = Errno.EPIPE;
const MICROSECONDS = 1000;

export class LoadGenerator implements Handler, ResponseSink {
  /** Set once, when nothing more will be counted; all connections are closed then. */
  finished = false;

  readonly #port: Port;
  readonly #plan: LoadPlan;
  readonly #tally: Tally;
  readonly #requests: RequestSlots;
  readonly #reader: ResponseReader;
  readonly #isOpenLoop: boolean;
  readonly #schedule: Schedule;
  readonly #free: FreeRing;
  readonly #sweepMs: number;

  /** By connection: FREE, CONNECTING or OPEN. */
  readonly #state: Uint8Array;
  readonly #connectSinceMs: Float64Array;
  /**
   * Requests in flight, and where the oldest one stands in the ring of `pipeline` cells of its connection.
   */
  readonly #inFlight: Uint16Array;
  readonly #oldest: Uint16Array;
  readonly #dueMs: Float64Array;
  /** The same array as `#dueMs` in a closed loop, where a request is sent when it is due. */
  readonly #sentMs: Float64Array;

  #nowMs = 0;
  #startMs = -1;
  #measureStartMs = 0;
  #measureEndMs = 0;
  #sweepAtMs = 0;
  #reconnectAtMs = 0;
  #isCounting = false;
  #connectingCount = 0;
  #openCount = 0;
  #openedEver = 0;
  #inFlightTotal = 0;
  #wasRefused = false;
  #isStopWanted = false;

  /** `requests` holds the plan's request in the pool of `port`; `tally` takes the result. */
  constructor(port: Port, plan: LoadPlan, requests: RequestSlots, tally: Tally) {
    const count = port.connectionsMax;
    this.#port = port;
    this.#plan = plan;
    this.#tally = tally;
    this.#requests = requests;
    this.#reader = new ResponseReader(port, plan.method, this);
    this.#isOpenLoop = plan.ratePerSecond > 0;
    this.#schedule = new Schedule(this.#isOpenLoop ? plan.ratePerSecond : 1, count * plan.pipeline);
    this.#free = new FreeRing(count);
    this.#sweepMs = Math.max(1, Math.min(SWEEP_MS_MAX, plan.timeoutMs / 10));
    this.#state = new Uint8Array(count);
    this.#connectSinceMs = new Float64Array(count);
    this.#inFlight = new Uint16Array(count);
    this.#oldest = new Uint16Array(count);
    this.#dueMs = new Float64Array(count * plan.pipeline);
    this.#sentMs = this.#isOpenLoop ? new Float64Array(count * plan.pipeline) : this.#dueMs;
  }

  /** Ends the run with the next batch, whatever is still due. */
  stop(): void {
    this.#isStopWanted = true;
  }

  // ── Handler
  // ───────────────────────────────────────────────────────────────────────────────────────────────────────

  begin(nowMs: number): void {
    this.#nowMs = nowMs;
    if (this.#startMs < 0) {
      this.#startMs = nowMs;
      this.#measureStartMs = nowMs + this.#plan.warmupMs;
      this.#measureEndMs = this.#measureStartMs + this.#plan.durationMs;
      this.#schedule.start(nowMs, this.#plan.warmupMs + this.#plan.durationMs);
    }
    if (this.finished) return;
    this.#isCounting = nowMs >= this.#measureStartMs;
    if (this.#isCounting) this.#tally.enter(nowMs - this.#measureStartMs);
  }

  accepted(connection: number): void {
    this.#port.reset(connection);
  }

  connected(connection: number): void {
    this.#state[connection] = OPEN;
    this.#connectingCount--;
    this.#openCount++;
    this.#openedEver++;
    const tally = this.#tally;
    if (this.#openCount > tally.openPeak) tally.openPeak = this.#openCount;
    if (this.#isCounting && this.#openedEver > this.#plan.connections) tally.reconnects++;
    this.#inFlight[connection] = 0;
    this.#oldest[connection] = 0;
    this.#reader.opened(connection);
    if (this.#isOpenLoop) this.#free.add(connection);
    else this.#refill(connection);
  }

  received(connection: number, start: number, end: number): void {
    if (this.#isCounting) this.#countReceived(end - start);
    const reading = this.#reader.feed(connection, start, end);
    if (reading === READING_OPEN) {
      if (this.#plan.closes && this.#inFlight[connection] === 0) this.#depart(connection);
      else if (!this.#isOpenLoop) this.#refill(connection);
      else if (this.#inFlight[connection]! < this.#plan.pipeline) this.#free.add(connection);
    } else if (reading === READING_LAST) this.#depart(connection);
    else this.#lose(connection, ERROR_BAD_RESPONSE, reading);
  }

  ended(connection: number): void {
    if (this.#reader.finish(connection) === READING_LAST) this.#depart(connection);
    else this.#lose(connection, ERROR_CLOSED_EARLY, 0);
  }

  drained(_connection: number): void {}

  failed(connection: number, errno: number): void {
    if (this.#state[connection] === CONNECTING) this.#lose(connection, ERROR_CONNECT, errno);
    else this.#lose(connection, errno === BROKEN_PIPE ? ERROR_WRITE : ERROR_READ, errno);
  }

  end(): number {
    if (this.finished) return -1;
    const nowMs = this.#nowMs;
    if (nowMs >= this.#sweepAtMs) this.#sweep(nowMs);
    if (this.#isOver(nowMs)) {
      this.#finish();
      return -1;
    }
    if (this.#missingCount() > 0 && nowMs >= this.#reconnectAtMs) this.#connectMissing();
    if (this.#isOpenLoop) this.#sendDue(nowMs);
    return this.#waitMs(nowMs);
  }

  // ── ResponseSink
  // ──────────────────────────────────────────────────────────────────────────────────────────────────

  awaits(connection: number): boolean {
    return this.#inFlight[connection]! > 0;
  }

  responded(connection: number, status: number): void {
    const pipeline = this.#plan.pipeline;
    const oldest = this.#oldest[connection]!;
    const at = connection * pipeline + oldest;
    this.#oldest[connection] = oldest + 1 === pipeline ? 0 : oldest + 1;
    this.#inFlight[connection] = this.#inFlight[connection]! - 1;
    this.#inFlightTotal--;
    const dueMs = this.#dueMs[at]!;
    if (dueMs < this.#measureStartMs) return;
    const tally = this.#tally;
    const us = Math.round((this.#nowMs - dueMs) * MICROSECONDS);
    histogramRecord(tally.latencyCells, 0, us, SUB_BITS);
    histogramRecord(tally.secondCells, 0, us);
    if (us > tally.latencyUsMax) tally.latencyUsMax = us;
    if (this.#isOpenLoop) this.#recordService(at);
    tally.statuses[status] = tally.statuses[status]! + 1;
    const second = tally.secondCount - 1;
    tally.secondResponses[second] = tally.secondResponses[second]! + 1;
  }

  // ── Sending
  // ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Closed loop: brings a connection back to its full depth, in one range. Not before half of it is answered:
   * servers answer pipelined requests one by one, and a send for each would cost as much as no pipelining.
   */
  #refill(connection: number): void {
    const pipeline = this.#plan.pipeline;
    const inFlight = this.#inFlight[connection]!;
    if (inFlight > pipeline >> 1) return;
    const count = pipeline - inFlight;
    for (let i = 0; i < count; i++) this.#note(connection, this.#nowMs);
    this.#send(connection, count);
  }

  /** Open loop: gives what is due to the connections that are free. */
  #sendDue(nowMs: number): void {
    const free = this.#free;
    const schedule = this.#schedule;
    while (free.count > 0) {
      const dueMs = schedule.nextMs();
      if (dueMs > nowMs) return;
      const connection = free.take();
      if (this.#state[connection] !== OPEN || this.#inFlight[connection]! >= this.#plan.pipeline) continue;
      schedule.take();
      this.#note(connection, dueMs);
      this.#send(connection, 1);
      if (this.#inFlight[connection]! < this.#plan.pipeline) free.add(connection);
    }
  }

  /** Enters one request as in flight. */
  #note(connection: number, dueMs: number): void {
    const pipeline = this.#plan.pipeline;
    const behind = this.#oldest[connection]! + this.#inFlight[connection]!;
    const at = connection * pipeline + (behind >= pipeline ? behind - pipeline : behind);
    this.#sentMs[at] = this.#nowMs;
    this.#dueMs[at] = dueMs;
    this.#inFlight[connection] = this.#inFlight[connection]! + 1;
    this.#inFlightTotal++;
  }

  #send(connection: number, count: number): void {
    this.#requests.send(connection, count);
    if (this.#isCounting) this.#tally.bytesOut += count * this.#plan.requestLength;
  }

  // ── Counting
  // ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #countReceived(bytes: number): void {
    const tally = this.#tally;
    const second = tally.secondCount - 1;
    tally.bytesIn += bytes;
    tally.secondBytesIn[second] = tally.secondBytesIn[second]! + bytes;
  }

  #recordService(at: number): void {
    const us = Math.round((this.#nowMs - this.#sentMs[at]!) * MICROSECONDS);
    histogramRecord(this.#tally.serviceCells, 0, us, SUB_BITS);
    if (us > this.#tally.serviceUsMax) this.#tally.serviceUsMax = us;
  }

  // ── Connections
  // ───────────────────────────────────────────────────────────────────────────────────────────────────

  #missingCount(): number {
    return this.#plan.connections - this.#openCount - this.#connectingCount;
  }

  #connectMissing(): void {
    while (this.#missingCount() > 0 && this.#connectingCount < CONNECTING_MAX) {
      const connection = this.#port.connect(this.#plan.address);
      if (connection < 0) {
        this.#refused(connection);
        return;
      }
      this.#state[connection] = CONNECTING;
      this.#connectSinceMs[connection] = this.#nowMs;
      this.#connectingCount++;
    }
  }

  #refused(errno: number): void {
    this.#wasRefused = true;
    this.#reconnectAtMs = this.#nowMs + RECONNECT_PAUSE_MS;
    if (this.#isCounting || this.#openedEver === 0) this.#tally.lose(ERROR_CONNECT, 1, errno);
  }

  /**
   * Closes a connection whose last response is read. Requests behind that response were not looked at (RFC
   * 9112 §9.3.2).
   */
  #depart(connection: number): void {
    if (this.#isOpenLoop) {
      const pipeline = this.#plan.pipeline;
      const first = connection * pipeline;
      for (let i = 0; i < this.#inFlight[connection]!; i++) {
        this.#schedule.giveBack(this.#dueMs[first + ((this.#oldest[connection]! + i) % pipeline)]!);
      }
    }
    this.#close(connection);
  }

  /** Closes a connection that went wrong, and counts the requests that it cost. */
  #lose(connection: number, kind: ErrorKind, reason: number): void {
    if (kind === ERROR_CONNECT) this.#refused(reason);
    else if (this.#isCounting) this.#tally.lose(kind, Math.max(1, this.#inFlight[connection]!), reason);
    this.#close(connection);
  }

  #close(connection: number): void {
    if (this.#state[connection] === CONNECTING) this.#connectingCount--;
    else {
      this.#openCount--;
      this.#inFlightTotal -= this.#inFlight[connection]!;
      this.#reader.closed(connection);
    }
    this.#inFlight[connection] = 0;
    this.#state[connection] = FREE;
    this.#port.close(connection);
  }

  /** Closes what has waited too long. */
  #sweep(nowMs: number): void {
    this.#sweepAtMs = nowMs + this.#sweepMs;
    const overdueMs = nowMs - this.#plan.timeoutMs;
    const pipeline = this.#plan.pipeline;
    for (let connection = 0; connection < this.#state.length; connection++) {
      const state = this.#state[connection];
      if (state === CONNECTING) {
        if (this.#connectSinceMs[connection]! <= overdueMs) this.#lose(connection, ERROR_CONNECT, TIMED_OUT);
      } else if (state === OPEN && this.#inFlight[connection]! > 0) {
        const at = connection * pipeline + this.#oldest[connection]!;
        if (this.#sentMs[at]! <= overdueMs) this.#lose(connection, ERROR_TIMEOUT, TIMED_OUT);
      }
    }
  }

  // ── Course of the run
  // ─────────────────────────────────────────────────────────────────────────────────────────────

  #isOver(nowMs: number): boolean {
    if (this.#isStopWanted) return true;
    if (this.#openedEver === 0 && this.#wasRefused && nowMs >= this.#startMs + HOPELESS_MS) return true;
    if (nowMs < this.#measureEndMs) return false;
    if (!this.#isOpenLoop) return true;
    if (nowMs >= this.#measureEndMs + this.#plan.timeoutMs) return true;
    if (this.#inFlightTotal > 0) return false;
    const isRefused = this.#openCount === 0 && nowMs < this.#reconnectAtMs;
    return isRefused || this.#schedule.nextMs() === Number.POSITIVE_INFINITY;
  }

  #finish(): void {
    this.finished = true;
    const tally = this.#tally;
    if (this.#isOpenLoop) tally.unsent = this.#schedule.leftCount(this.#nowMs);
    tally.closeSecond();
    const isOverdue = this.#isOpenLoop && !this.#isStopWanted;
    for (let connection = 0; connection < this.#state.length; connection++) {
      if (isOverdue && this.#inFlight[connection]! > 0) this.#lose(connection, ERROR_TIMEOUT, TIMED_OUT);
      else if (this.#state[connection] !== FREE) this.#close(connection);
    }
  }

  /** Until something has to happen of its own accord. */
  #waitMs(nowMs: number): number {
    let nextMs = this.#sweepAtMs;
    if (nowMs < this.#measureEndMs && this.#measureEndMs < nextMs) nextMs = this.#measureEndMs;
    if (this.#missingCount() > 0 && this.#reconnectAtMs < nextMs) {
      nextMs = this.#connectingCount < CONNECTING_MAX ? this.#reconnectAtMs : nextMs;
    }
    if (this.#isOpenLoop && this.#free.count > 0) {
      const dueMs = this.#schedule.nextMs();
      if (dueMs < nextMs) nextMs = dueMs;
    }
    return nextMs <= nowMs ? 0 : nextMs - nowMs;
  }
}
