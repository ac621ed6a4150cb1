/**
 * A new configuration for a running proxy. It is read and checked whole, and everything that can fail is tried,
 * before any of it counts; one reload follows another.
 */
import { isDeepStrictEqual } from "node:util";
import { type ConfigError, errorText } from "../config/config-error.ts";
import { changesBetween, changeText, restartErrors } from "./changes.ts";
import type { Loaded, LoadedConfiguration } from "./load-configuration.ts";
import type { Log } from "./log.ts";
import { passwordChanges } from "./password-changes.ts";
import { sentenceOf } from "./start-errors.ts";
import { warningsOf } from "./warnings.ts";

/** What became of a reload; crosses the control socket as JSON. */
export interface ReloadResult {
  /** Whether the new configuration is in force. */
  readonly done: boolean;
  /** What is other than before, one key a line. */
  readonly changes: readonly string[];
  /** Why it is not in force; or, where it is, what went wrong in single workers. */
  readonly errors: readonly string[];
  /** What is wrong with the configuration, where that is why: `errors` has the texts. */
  readonly wrong: readonly ConfigError[];
}

export interface ReloadFigures {
  readonly done: number;
  readonly failed: number;
  /** Unix time in seconds of the last that came into force; of the start, when none has. */
  readonly lastDoneS: number;
}

/** What a reload needs of the proxy that it changes. */
export interface Reloadable {
  /** Reads everything again. */
  load(): Promise<Loaded>;
  /** As `Supervisor.change`. */
  change(next: LoadedConfiguration): Promise<string[]>;
  /** How a new proxy takes its place, in words. */
  readonly restart: string;
}

export class Reloader {
  readonly #proxy: Reloadable;
  readonly #log: Log;
  #current: LoadedConfiguration;
  #last: Promise<unknown> = Promise.resolve();
  #done = 0;
  #failed = 0;
  #lastDoneMs = Date.now();

  constructor(proxy: Reloadable, current: LoadedConfiguration, log: Log) {
    this.#proxy = proxy;
    this.#current = current;
    this.#log = log;
  }

  get figures(): ReloadFigures {
    return { done: this.#done, failed: this.#failed, lastDoneS: this.#lastDoneMs / 1000 };
  }

  /** Resolves when every reload that was asked for so far is over. */
  get idle(): Promise<unknown> {
    return this.#last;
  }

  /** Files that the configuration in force was read from. */
  get files(): readonly string[] {
    return this.#current.files;
  }

  /**
   * Reads the configuration again, and puts it into force when it is right. `why`: for the log. `isAsked`: somebody
   * waits to hear of it, also when nothing has changed. Never rejects.
   */
  reload(why: string, isAsked: boolean): Promise<ReloadResult> {
    const next = this.#last.then(() => this.#reload(why, isAsked));
    this.#last = next;
    return next;
  }

  async #reload(why: string, isAsked: boolean): Promise<ReloadResult> {
    const result = await this.#attempt();
    const { done, changes, errors } = result;
    if (!done) {
      this.#failed++;
      this.#log.error(`${why}: the configuration is wrong, the old one stays in force`);
    } else {
      this.#done++;
      this.#lastDoneMs = Date.now();
      if (changes.length > 0) this.#log.info(`${why}: the new configuration is in force`);
      else this.#log[isAsked ? "info" : "debug"](`${why}: nothing has changed`);
    }
    for (const change of changes) this.#log.info(`  ${change}`);
    for (const error of errors) this.#log.error(`  ${error}`);
    return result;
  }

  async #attempt(): Promise<ReloadResult> {
    const failed = (errors: readonly string[], wrong: readonly ConfigError[] = []): ReloadResult => {
      return { done: false, changes: [], errors, wrong };
    };
    const refused = (wrong: readonly ConfigError[]) => failed(wrong.map(errorText), wrong);
    try {
      const next = await this.#proxy.load();
      if ("errors" in next) return refused(next.errors);
      const changes = changesBetween(this.#current, next);
      const fixed = restartErrors(changes, this.#proxy.restart);
      if (fixed.length > 0) return refused(fixed);
      const before = this.#current;
      const isSame = isDeepStrictEqual(this.#current.configuration, next.configuration);
      const errors = isSame ? [] : await this.#proxy.change(next);
      this.#current = next;
      if (!isSame) for (const warning of warningsOf(next)) this.#log.warn(warning);
      const texts = [...changes.map(changeText), ...passwordChanges(before, next)];
      if (digestOf(before) !== digestOf(next)) texts.push("hooks: their code is another one");
      const told = isSame || texts.length > 0 ? texts : ["the order of a list"];
      return { done: true, changes: told, errors, wrong: [] };
    } catch (error) {
      const sentence = sentenceOf(error);
      if (sentence === undefined) this.#log.error(error as Error, "a reload failed by a mistake of ours");
      return failed([sentence ?? String(error)]);
    }
  }
}

function digestOf({ configuration }: LoadedConfiguration): string {
  return configuration.hooking?.digest ?? "";
}
