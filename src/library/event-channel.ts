/** Who is told of what. One list of listeners for each kind of event, called in the order they were added. */

/** `Events`: by name, what a listener is given. */
export class EventChannel<Events> {
  readonly #listeners = new Map<keyof Events, readonly ((event: never) => void)[]>();

  add<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): void {
    this.#listeners.set(name, [...(this.#listeners.get(name) ?? []), listener]);
  }

  /** Idempotent. A listener that was added twice goes once. */
  remove<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): void {
    const all = [...(this.#listeners.get(name) ?? [])];
    const at = all.lastIndexOf(listener);
    if (at >= 0) all.splice(at, 1);
    this.#listeners.set(name, all);
  }

  /** What a listener throws is an uncaught exception of the program, and no matter of whoever tells. */
  tell<Name extends keyof Events>(name: Name, event: Events[Name]): void {
    for (const listener of this.#listeners.get(name) ?? []) {
      try {
        (listener as (event: Events[Name]) => void)(event);
      } catch (error) {
        setImmediate(() => {
          throw error;
        });
      }
    }
  }
}
