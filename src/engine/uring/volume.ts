/**
 * Whether a connection carries messages or a stream.
 *
 * One run of a multishot receive may fill dozens of buffers before anyone can say stop, so it is for
 * connections that bring little at a time. A new connection, and one that filled several buffers in one
 * batch, counts as a stream: it is received from in bounded portions, each asked for anew.
 *
 * @hot
 */
import { RECEIVE_BYTES } from "../../base/buffer-pool.ts";

const FULL_BYTES = RECEIVE_BYTES;
/** So many full buffers in one batch make a stream. */
const FULL_RECEIVES = 2;
/** So many receives in a row of at most so many bytes make messages. */
const CALM_RECEIVES = 4;
const CALM_BYTES_MAX = 16_384;

export class Volume {
  readonly #isStream: Uint8Array;
  readonly #isCalm: Uint8Array;
  /** Full receives in the batch noted, or calm ones in a row. */
  readonly #streak: Uint8Array;
  readonly #batch: Int32Array;

  constructor(connectionsMax: number) {
    this.#isCalm = new Uint8Array(connectionsMax);
    this.#isStream = new Uint8Array(connectionsMax);
    this.#streak = new Uint8Array(connectionsMax);
    this.#batch = new Int32Array(connectionsMax);
  }

  isStream(connection: number): boolean {
    return this.#isStream[connection] === 1;
  }

  /** It brought little when `noteReceive` was last told, or nothing yet. */
  isCalm(connection: number): boolean {
    return this.#isCalm[connection] === 1;
  }

  /** One receive brought `bytes`, in however many buffers: the last of several is not what it brings. */
  noteReceive(connection: number, bytes: number): void {
    this.#isCalm[connection] = bytes > CALM_BYTES_MAX ? 0 : 1;
  }

  /** A new connection has this index. */
  begin(connection: number): void {
    this.#isStream[connection] = 1;
    this.#isCalm[connection] = 1;
    this.#streak[connection] = 0;
  }

  /**
   * `bytes` came into one buffer, in the batch of this number. Returns true when that has made the connection
   * a stream.
   */
  note(connection: number, bytes: number, batch: number): boolean {
    if (this.#isStream[connection] === 1) {
      this.#streak[connection] = bytes > CALM_BYTES_MAX ? 0 : this.#streak[connection]! + 1;
      if (this.#streak[connection]! < CALM_RECEIVES) return false;
      this.#streak[connection] = 0;
      this.#isStream[connection] = 0;
      return false;
    }
    if (bytes < FULL_BYTES) return false;
    if (this.#batch[connection] !== batch) this.#streak[connection] = 0;
    this.#batch[connection] = batch;
    this.#streak[connection] = this.#streak[connection]! + 1;
    if (this.#streak[connection]! < FULL_RECEIVES) return false;
    this.#streak[connection] = 0;
    this.#isStream[connection] = 1;
    return true;
  }
}
