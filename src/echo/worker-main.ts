/**
 * A further worker process of hp-echo. Its options are JSON in the first argument. It says when it is ready,
 * and ends with its parent. An interrupt from the terminal is for the parent to answer.
 */
import { raiseOpenFileLimit } from "./open-file-limit.ts";
import { type EchoOptions, startEcho } from "./start-echo.ts";

const options = JSON.parse(process.argv[2]!) as EchoOptions;
await raiseOpenFileLimit();
try {
  const echo = await startEcho(options);
  const end = () => void echo.close().then(() => process.exit(0));
  process.on("SIGINT", () => {});
  process.once("SIGTERM", end);
  process.once("disconnect", end);
  process.send!({ address: echo.address });
} catch (error) {
  process.stderr.write(`hp-echo worker: ${error instanceof Error ? error.message : error}\n`);
  process.exit(1);
}
