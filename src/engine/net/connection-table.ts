/** Which connection numbers are taken, and by whom. A number that was freed last is given out first. */
import { assert } from "../../base/assert.ts";
import type { NetConnection } from "./net-connection.ts";

export class ConnectionTable {
  /** Records by number; null where the number is free. */
  readonly #connections: (NetConnection | null)[];
  readonly #freeNumbers: Int32Array;
  #freeCount: number;

  constructor(connectionsMax: number) {
    this.#connections = new Array<NetConnection | null>(connectionsMax).fill(null);
    this.#freeNumbers = new Int32Array(connectionsMax);
    for (let i = 0; i < connectionsMax; i++) this.#freeNumbers[i] = connectionsMax - 1 - i;
    this.#freeCount = connectionsMax;
  }

  get isFull(): boolean {
    return this.#freeCount === 0;
  }

  /** The number that the next `add` must use. The table is not full. */
  peekFree(): number {
    assert(this.#freeCount > 0, "a number is free");
    return this.#freeNumbers[this.#freeCount - 1]!;
  }

  add(connection: NetConnection): void {
    assert(connection.number === this.peekFree(), "a connection takes the number that is next");
    this.#freeCount--;
    this.#connections[connection.number] = connection;
  }

  /** The connection that the handler calls `number`; it has not given it up. */
  of(number: number): NetConnection {
    const connection = this.#connections[number];
    assert(connection !== null && connection !== undefined, "the connection is open");
    assert(!connection.isGivenUp, "the connection belongs to the handler");
    return connection;
  }

  /** Frees the connection's number. */
  remove(connection: NetConnection): void {
    assert(this.#connections[connection.number] === connection, "a number is freed by its owner");
    this.#connections[connection.number] = null;
    this.#freeNumbers[this.#freeCount++] = connection.number;
  }

  /** Every connection whose number is not free. */
  all(): NetConnection[] {
    return this.#connections.filter((connection) => connection !== null);
  }
}
