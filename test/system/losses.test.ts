/** What is lost when a process is killed or told to go while requests keep coming: no more than must be. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import type { ProxyProcess } from "../e2e/proxy-process.ts";
import { testEachEngine } from "../harness/engines.ts";
import { startProxy, statsOf, statsWhen } from "../harness/proxy.ts";
import { startEcho } from "../harness/servers.ts";
import { SteadyClients } from "../harness/steady-clients.ts";

const timeout = 60_000;
const CLIENTS = 24;
/** Answers that each client has before and after, so that it is seen to be well. */
const ANSWERS = 20;

async function startClients(t: TestContext, proxy: ProxyProcess) {
  const clients = await SteadyClients.start({ port: proxy.port, clients: CLIENTS });
  t.after(() => clients.destroy());
  return clients;
}

testEachEngine(
  "kill -9 of a worker: its own connections break, no others",
  { timeout },
  async (t, engine) => {
    const echo = await startEcho(t);
    const proxy = await startProxy(t, engine, [echo.address], ["--workers", "2"]);
    const before = await startClients(t, proxy);
    await before.eachAnswers(ANSWERS);
    const [victim, sibling] = (await statsWhen(proxy, ({ workers }) => workers.every((w) => w.pid > 0)))
      .workers;
    assert.equal(victim!.clients.open + sibling!.clients.open, CLIENTS);
    const killedAtMs = performance.now();
    process.kill(victim!.pid, "SIGKILL");
    // Until it is dead it may still accept, and what it accepted ends with it.
    await proxy.log(({ msg, pid }) => msg.startsWith("worker died") && pid === victim!.pid);
    // Some of these are given to the socket whose worker has just died, and wait there for the next.
    const late = await startClients(t, proxy);
    t.diagnostic(`all late clients answered ${Math.round(performance.now() - killedAtMs)} ms after the kill`);
    await before.when(
      "the victim's connections break",
      () => before.total("broken") >= victim!.clients.open || undefined,
    );
    await before.eachAnswers(ANSWERS);
    await late.eachAnswers(ANSWERS);
    const report = await statsOf(proxy);
    await Promise.all([before.stop(), late.stop()]);
    assert.equal(
      before.total("broken"),
      victim!.clients.open,
      "the victim's connections, all of them and no others",
    );
    assert.ok(
      before.total("unanswered") + before.total("cut") <= victim!.clients.open,
      "one request each at most",
    );
    for (const clients of [before, late]) {
      assert.deepEqual(clients.statuses, [200]);
      assert.equal(clients.total("crossed"), 0);
    }
    assert.equal(late.total("broken"), 0, "a connection that waited for the next worker is served");
    assert.equal(report.restarts, 1);
    assert.notEqual(report.workers[0]!.pid, victim!.pid);
    assert.equal(report.workers[1]!.pid, sibling!.pid);
  },
);

testEachEngine(
  "kill -9 of one backend of three: no failed GET, and it is taken back",
  { timeout },
  async (t, engine) => {
    const echoes = await Promise.all([startEcho(t), startEcho(t), startEcho(t)]);
    const addresses = echoes.map(({ address }) => address);
    const flags = ["--health-interval", "50ms", "--health-timeout", "1s"];
    const proxy = await startProxy(t, engine, addresses, flags);
    const clients = await startClients(t, proxy);
    await clients.eachAnswers(ANSWERS);
    for (const address of addresses) assert.ok(clients.answeredBy(address) > 0, `${address} takes part`);
    const [victim] = echoes;
    process.kill(victim.program.pid, "SIGKILL");
    await victim.program.ended;
    await clients.eachAnswers(ANSWERS);
    const isUp = (wanted: boolean) => statsWhen(proxy, ({ endpoints }) => endpoints[0]!.healthy === wanted);
    await isUp(false);
    const whenDown = clients.answeredBy(victim.address);
    await clients.eachAnswers(ANSWERS);
    assert.equal(clients.answeredBy(victim.address), whenDown, "a backend that is down is not asked");
    await startEcho(t, [], Number(victim.address.split(":")[1]));
    await isUp(true);
    // A worker avoids it for a moment longer than the health check does.
    const isAsked = () => clients.answeredBy(victim.address) > whenDown || undefined;
    await clients.when("a backend that is back is asked again", isAsked);
    await clients.eachAnswers(ANSWERS);
    await clients.stop();
    assert.deepEqual(clients.statuses, [200]);
    const losses = {
      unanswered: clients.total("unanswered"),
      cut: clients.total("cut"),
      crossed: clients.total("crossed"),
    };
    assert.deepEqual(losses, { unanswered: 0, cut: 0, crossed: 0 });
    assert.equal(clients.total("broken"), 0, "clients' connections outlive a backend");
  },
);

testEachEngine("SIGTERM: every request is answered, with notice; exit 0", { timeout }, async (t, engine) => {
  const echo = await startEcho(t);
  const proxy = await startProxy(t, engine, [echo.address], ["--workers", "2"]);
  const clients = await startClients(t, proxy);
  await clients.eachAnswers(ANSWERS);
  proxy.kill("SIGTERM");
  await clients.when(
    "every connection is over",
    () => clients.clients.every(({ isDone }) => isDone) || undefined,
  );
  const { status } = await proxy.ended;
  assert.equal(status, 0);
  assert.deepEqual(clients.statuses, [200]);
  const losses = {
    crossed: clients.total("crossed"),
    cut: clients.total("cut"),
    unanswered: clients.total("unanswered"),
    broken: clients.total("broken"),
  };
  assert.deepEqual(losses, { crossed: 0, cut: 0, unanswered: 0, broken: 0 });
  assert.equal(clients.total("closed"), CLIENTS, "each was told Connection: close in its last answer");
});
