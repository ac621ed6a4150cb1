/** As many connections as the hard limit allows. */

/**
 * Raises the limit of open descriptors where the kernel can be called; elsewhere Node's own start-up has done
 * so.
 */
export async function raiseOpenFileLimit(): Promise<void> {
  if (process.platform !== "linux") return;
  try {
    const { raiseFileLimit } = await import("../engine/native/process.ts");
    raiseFileLimit();
  } catch {
    // Without the foreign function package the limit stays what it is.
  }
}
