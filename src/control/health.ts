/**
 * Active health checks: asks every endpoint again and again, and tells when the verdict about one changes.
 *
 * They run in the supervisor, once for all workers. Intervals are spread by ±10 %, so that many endpoints are
 * not asked in the same instant for ever. The first check begins at once and decides alone.
 */
import type { HealthConfiguration } from "./configuration.ts";
import { checkEndpoint } from "./health-check.ts";
import { HealthState } from "./health-state.ts";

/** An endpoint as the checks see it. */
export interface CheckedEndpoint {
  readonly name: string;
  readonly address: string;
}

export interface HealthChange extends CheckedEndpoint {
  readonly healthy: boolean;
  /** Why the last check failed; "" when it did not. */
  readonly reason: string;
}

/** A worker that fails to connect makes us look at once, but not more often than this. */
const HASTE_MS = 250;

export class HealthChecks {
  #health: HealthConfiguration;
  readonly #changed: (change: HealthChange) => void;
  readonly #watches = new Map<string, Watch>();

  /** `changed` is called for each change of a verdict. */
  constructor(health: HealthConfiguration, changed: (change: HealthChange) => void) {
    this.#health = health;
    this.#changed = changed;
  }

  /** Checks in another way from now on. What is known stays; where nothing is checked, nothing is known. */
  follow(health: HealthConfiguration): void {
    this.#health = health;
    if (health.kind === "off") this.stop();
    for (const watch of this.#watches.values()) watch.follow(health);
  }

  /** From now on these endpoints are checked, and no others. What is known about those that stay is kept. */
  watch(endpoints: readonly CheckedEndpoint[]): void {
    if (this.#health.kind === "off") return;
    const wanted = new Set(endpoints.map(({ address }) => address));
    for (const [address, watch] of this.#watches) {
      if (wanted.has(address)) continue;
      watch.stop();
      this.#watches.delete(address);
    }
    for (const endpoint of endpoints) {
      const known = this.#watches.get(endpoint.address);
      if (known !== undefined) {
        known.endpoint = endpoint;
        continue;
      }
      const watch = new Watch(endpoint, this.#health, this.#changed);
      this.#watches.set(endpoint.address, watch);
      watch.begin();
    }
  }

  /** The verdict; an endpoint that is not checked, or not yet, counts as healthy. */
  healthy(address: string): boolean {
    return this.#watches.get(address)?.state.healthy ?? true;
  }

  /** Somebody failed to connect, or succeeded again: checks soon. */
  hasten(address: string): void {
    this.#watches.get(address)?.hasten();
  }

  stop(): void {
    for (const watch of this.#watches.values()) watch.stop();
    this.#watches.clear();
  }
}

class Watch {
  readonly state: HealthState;
  endpoint: CheckedEndpoint;
  #health: HealthConfiguration;
  readonly #changed: (change: HealthChange) => void;
  readonly #abort = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #checkedAtMs = 0;
  #checking = false;

  constructor(
    endpoint: CheckedEndpoint,
    health: HealthConfiguration,
    changed: (change: HealthChange) => void,
  ) {
    this.endpoint = endpoint;
    this.#health = health;
    this.#changed = changed;
    this.state = new HealthState(health.fall, health.rise);
  }

  begin(): void {
    this.#wait(0);
  }

  hasten(): void {
    if (this.#checking || this.#abort.signal.aborted) return;
    this.#wait(Math.max(0, this.#checkedAtMs + HASTE_MS - performance.now()));
  }

  /** The next check is another one, and comes at once if it asks something else. */
  follow(health: HealthConfiguration): void {
    const before = this.#health;
    this.#health = health;
    this.state.retune(health.fall, health.rise);
    if (this.#checking) return;
    const asksElse =
      health.kind !== before.kind || health.path !== before.path || health.expect !== before.expect;
    const dueMs = this.#checkedAtMs + (asksElse ? 0 : health.intervalMs);
    this.#wait(Math.max(0, dueMs - performance.now()));
  }

  stop(): void {
    this.#abort.abort();
    clearTimeout(this.#timer);
  }

  #wait(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#check(), ms);
  }

  async #check(): Promise<void> {
    const { name, address } = this.endpoint;
    this.#checking = true;
    const reason = await checkEndpoint(address, name, this.#health, this.#abort.signal);
    this.#checking = false;
    if (this.#abort.signal.aborted) return;
    this.#checkedAtMs = performance.now();
    const healthy = reason === "";
    if (this.state.observe(healthy)) this.#changed({ name, address, healthy, reason });
    this.#wait(this.#health.intervalMs * (0.9 + Math.random() * 0.2));
  }
}
