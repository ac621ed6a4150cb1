/** Changes pages on their way to clients, and answers for backends that are down. */
import { defineConfig } from "hp-proxy";

/** Puts a line before the end of a page, wherever the pieces of it are cut. */
function withBanner(banner: string): TransformStream<Uint8Array, string> {
  const decoder = new TextDecoder();
  const mark = "</body>";
  let rest = "";
  return new TransformStream({
    transform(piece, controller) {
      rest += decoder.decode(piece, { stream: true });
      const kept = rest.length - mark.length;
      if (rest.includes(mark) || kept <= 0) return;
      controller.enqueue(rest.slice(0, kept));
      rest = rest.slice(kept);
    },
    flush: (controller) => controller.enqueue((rest + decoder.decode()).replace(mark, banner + mark)),
  });
}

export default defineConfig({
  listen: "127.0.0.1:8080",
  backends: "localhost:3001",
  hooks: {
    onRequest(request) {
      // What is compressed could not be changed.
      request.headers.delete("accept-encoding");
    },
    onResponse(response) {
      if (!response.headers.get("content-type")?.startsWith("text/html")) return;
      response.headers.delete("etag");
      response.transformBody(withBanner("<p>Maintenance tonight at ten.</p>"));
    },
    onError({ status, reason }) {
      if (status !== 502 && status !== 504) return;
      const body = `<h1>Back in a moment</h1><!-- ${reason} -->`;
      return { status, headers: { "content-type": "text/html", "retry-after": "5" }, body };
    },
  },
});
