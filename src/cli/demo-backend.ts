/**
 * A backend of `hp-proxy demo`: hp-echo on a free port, ended by the end of its parent, whatever ends that.
 */
import { main } from "./hp-echo.ts";

process.on("disconnect", () => process.exit(0));
process.exitCode = await main(["--port", "0"], {});
