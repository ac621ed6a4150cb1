/** The proxy that this process takes over from, as seen from the new one. */
import { type Heritage, PREDECESSOR_VARIABLE, type ToPredecessor, type ToSuccessor } from "./succession.ts";

/** This process was started to take over, and must not. `message` is a sentence for people. */
export class TakeOverRefused extends Error {
  override readonly name = "TakeOverRefused";
}

export class Predecessor {
  readonly pid: number;
  readonly heritage: Heritage;

  /**
   * Undefined where this process was started for itself. Takes the sign of it out of `environment`, so that
   * no child believes that it is meant.
   */
  static async meet(environment: Record<string, string | undefined>): Promise<Predecessor | undefined> {
    const pid = Number(environment[PREDECESSOR_VARIABLE] ?? "0");
    delete environment[PREDECESSOR_VARIABLE];
    if (pid === 0 || process.connected !== true) return undefined;
    const first = await nextMessage();
    return first?.type === "heritage" ? new Predecessor(pid, first) : undefined;
  }

  private constructor(pid: number, heritage: Heritage) {
    this.pid = pid;
    this.heritage = heritage;
  }

  /**
   * Every worker accepts, also from the handed descriptors `adopted`: the predecessor stops doing so. Rejects
   * with `TakeOverRefused` where it has given this up. One that has died cannot object.
   */
  async takeOver(adopted: readonly number[]): Promise<void> {
    const answer = nextMessage();
    await tell({ type: "up", adopted });
    if ((await answer)?.type === "abort")
      throw new TakeOverRefused(`process ${this.pid} goes on, and has called this one off`);
  }

  /** All is where it was. */
  async settled(): Promise<void> {
    await tell({ type: "settled" });
    if (process.connected === true) process.disconnect?.();
  }

  /** This process cannot take over, for these `reasons`; it ends. */
  async fail(reasons: readonly string[]): Promise<void> {
    await tell({ type: "failed", reasons });
  }
}

/** Undefined when the other side is gone. */
function nextMessage(): Promise<ToSuccessor | undefined> {
  return new Promise((resolve) => {
    if (process.connected !== true) resolve(undefined);
    const done = (message?: ToSuccessor) => {
      process.off("message", done);
      process.off("disconnect", gone);
      resolve(message);
    };
    const gone = () => done();
    process.on("message", done);
    process.on("disconnect", gone);
  });
}

/** Resolves when it is on its way; the other side may be gone. */
function tell(message: ToPredecessor): Promise<void> {
  return new Promise((resolve) => {
    if (process.connected === true) process.send?.(message, () => resolve());
    else resolve();
  });
}
