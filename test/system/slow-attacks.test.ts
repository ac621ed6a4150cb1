/**
 * Clients that hold what they can for as long as they can: heads and bodies in drops, answers that nobody
 * reads. The limits end them, and good clients beside them notice nothing. Figures with thousands of them are
 * those of bench/hostile.ts.
 */
import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { testEachEngine } from "../harness/engines.ts";
import { startProxy, statsOf, statsWhen } from "../harness/proxy.ts";
import { startEcho } from "../harness/servers.ts";
import { SteadyClients } from "../harness/steady-clients.ts";

const timeout = 60_000;
const ATTACKERS = 200;
const GOOD = 8;
const ANSWERS = 20;
const DROP_MS = 100;
const FLAGS = [
  ...["--request-head-timeout", "1s", "--request-timeout", "2s", "--request-idle-timeout", "1s"],
  ...["--send-timeout", "1s", "--health", "off"],
];

interface Attack {
  readonly name: string;
  readonly opening: string;
  /** Sent again and again. */
  readonly drop: string;
  readonly reads: boolean;
  /** Counters of the proxy that tell how each was ended, together. */
  readonly endings: readonly string[];
  /** What it is told, where it can be. */
  readonly status: number;
}

const ATTACKS: readonly Attack[] = [
  {
    name: "heads in drops",
    opening: "GET / HTTP/1.1\r\nHost: test\r\n",
    drop: "X-A: b\r\n",
    reads: true,
    endings: ["request_head_timeout"],
    status: 408,
  },
  {
    name: "bodies in drops",
    opening: "POST /upload HTTP/1.1\r\nHost: test\r\nContent-Length: 100000\r\n\r\n",
    drop: "abc",
    reads: true,
    endings: ["request_deadline"],
    status: 504,
  },
  {
    name: "bodies that stop",
    opening: "POST /upload HTTP/1.1\r\nHost: test\r\nContent-Length: 100000\r\n\r\nabc",
    drop: "",
    reads: true,
    endings: ["request_body_timeout"],
    status: 408,
  },
  {
    name: "answers that nobody reads",
    opening: "GET /bytes/20000000 HTTP/1.1\r\nHost: test\r\n\r\n",
    drop: "",
    reads: false,
    endings: ["client_stalled", "overload", "request_deadline"],
    status: 0,
  },
];

class Attacker {
  readonly socket: Socket;
  status = 0;
  isOver = false;

  constructor(port: number, { opening, reads }: Attack) {
    this.socket = connect(port, "127.0.0.1");
    this.socket.on("error", () => {});
    this.socket.on("close", () => {
      this.isOver = true;
    });
    this.socket.write(opening);
    if (!reads) return;
    this.socket.on("data", (bytes: Buffer) => {
      if (this.status === 0) this.status = Number(bytes.toString("latin1", 9, 12));
    });
  }

  drip(drop: string): void {
    if (drop !== "" && this.socket.writable) this.socket.write(drop);
  }
}

for (const attack of ATTACKS) {
  testEachEngine(`${attack.name}: ended by a limit, others are served`, { timeout }, async (t, engine) => {
    const echo = await startEcho(t);
    const proxy = await startProxy(t, engine, [echo.address], FLAGS);
    const good = await SteadyClients.start({ port: proxy.port, clients: GOOD });
    t.after(() => good.destroy());
    const attackers = Array.from({ length: ATTACKERS }, () => new Attacker(proxy.port, attack));
    t.after(() => {
      for (const { socket } of attackers) socket.destroy();
    });
    const ended = async () => {
      const { errors } = (await statsOf(proxy)).total;
      return attack.endings.reduce((sum, name) => sum + errors[name]!, 0);
    };
    while ((await ended()) < ATTACKERS) {
      for (const attacker of attackers) attacker.drip(attack.drop);
      await delay(DROP_MS);
    }
    await statsWhen(proxy, ({ total }) => total.clients.open === GOOD);
    await good.eachAnswers(ANSWERS);
    await good.stop();
    assert.deepEqual(good.statuses, [200]);
    assert.equal(good.total("broken") + good.total("crossed") + good.total("cut"), 0);
    assert.equal((await statsOf(proxy)).restarts, 0);
    if (attack.status === 0) return;
    const told = attackers.filter(({ status }) => status === attack.status).length;
    assert.equal(told, ATTACKERS, `${told} of ${ATTACKERS} were told ${attack.status}`);
  });
}
