/**
 * Connections that are not read and yet watched: a poll for each tells when the peer breaks it off. It also
 * tells of the peer's FIN, which a multishot poll survives.
 *
 * @hot
 */
import { type ConnectionTable, InFlight } from "../native/connection-table.ts";
import { Operation } from "./operation.ts";
import { prepCancel, prepPollBreak } from "./prep.ts";
import type { Ring } from "./ring.ts";

const BREAK_POLL = Operation.breakPoll;
const SILENT = Operation.silent;
const IN_FLIGHT = InFlight.breakPoll;

export class BreakPolls {
  readonly #ring: Ring;
  readonly #table: ConnectionTable;

  constructor(ring: Ring, table: ConnectionTable) {
    this.#ring = ring;
    this.#table = table;
  }

  /** Watches `connection`, unless it is watched, or was and its poll has not ended. */
  arm(connection: number): void {
    const { fd, inFlight } = this.#table;
    if ((inFlight[connection]! & IN_FLIGHT) !== 0) return;
    inFlight[connection] = inFlight[connection]! | IN_FLIGHT;
    prepPollBreak(this.#ring.sqes, this.#ring.nextSqe(), fd[connection]!, BREAK_POLL, connection);
  }

  /** Its poll ends, if there is one; its last completion is yet to come. */
  cancel(connection: number): void {
    if ((this.#table.inFlight[connection]! & IN_FLIGHT) === 0) return;
    prepCancel(this.#ring.sqes, this.#ring.nextSqe(), BREAK_POLL, connection, SILENT);
  }

  /** Its poll has told its last. */
  ended(connection: number): void {
    const { inFlight } = this.#table;
    inFlight[connection] = inFlight[connection]! & ~IN_FLIGHT;
  }
}
