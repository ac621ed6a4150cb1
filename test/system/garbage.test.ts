/**
 * Connections that are no HTTP leave nothing behind: no descriptor, no slot, no memory. A hundred thousand of
 * them are the business of bench/hostile.ts.
 */
import assert from "node:assert/strict";
import { GARBAGE, throwGarbage } from "../../bench/hostile/garbage.ts";
import { testEachEngine } from "../harness/engines.ts";
import { treeResources } from "../harness/process-resources.ts";
import { startProxy, statsOf, statsWhen } from "../harness/proxy.ts";
import { startEcho } from "../harness/servers.ts";

const timeout = 120_000;
const MIB = 1 << 20;
const AT_ONCE = 32;
const WARM_UP = 1_600;
const COUNT = 3_200;
/** V8 takes its time to find its size: steps of 18 MiB were seen. A slot kept by each would be 200. */
const GROWTH_MIB_MAX = { uring: 40, epoll: 40, net: 48 };
const LOOKS = 50;

testEachEngine("nothing is left of connections that are no HTTP", { timeout }, async (t, engine) => {
  const echo = await startEcho(t);
  const flags = ["--request-head-timeout", "5s", "--pool-idle-timeout", "200ms", "--health", "off"];
  const proxy = await startProxy(t, engine, [echo.address], flags);
  const rest = async () => {
    await statsWhen(proxy, ({ total }) => total.clients.open === 0 && total.origins.open === 0);
    return treeResources(proxy.child.pid!);
  };
  await throwGarbage(proxy.port, WARM_UP, AT_ONCE, 1);
  const before = await rest();
  const { ended, left } = await throwGarbage(proxy.port, COUNT, AT_ONCE, 2);
  let after = await rest();
  // Asking takes a descriptor of the control socket, which may be closed a moment after the answer.
  for (let look = 0; look < LOOKS && after.descriptors > before.descriptors; look++) after = await rest();
  const { total, restarts } = await statsOf(proxy);
  const growthMib = (after.ownBytes - before.ownBytes) / MIB;
  t.diagnostic(
    `descriptors ${before.descriptors} → ${after.descriptors}, memory +${growthMib.toFixed(1)} MiB`,
  );
  const waiting = GARBAGE.filter(({ end }) => end === "wait").length;
  assert.equal(left, 0, "each that waits is ended");
  assert.equal(ended, (COUNT / GARBAGE.length) * waiting);
  assert.equal(total.clients.accepted, WARM_UP + COUNT);
  assert.equal(restarts, 0);
  assert.ok(after.descriptors <= before.descriptors, `${before.descriptors} became ${after.descriptors}`);
  assert.ok(growthMib < GROWTH_MIB_MAX[engine], `memory grows by ${growthMib} MiB`);
  assert.equal((await fetch(`${proxy.url}/bytes/5`)).status, 200);
});
