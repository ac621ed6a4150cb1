/** The simulated engine under the contract, in three worlds. `SIM_SEED=n` chooses one. */
import { engineContract } from "./engine-cases.ts";
import { simArenas } from "./sim-arena.ts";

const wanted = process.env.SIM_SEED;
const seeds = wanted === undefined ? [1, 2, 3] : [Number(wanted)];
for (const seed of seeds) {
  engineContract(`sim, seed ${seed}`, simArenas(seed), {
    hasSockets: false,
    canWatch: true,
    isRequired: true,
  });
}
