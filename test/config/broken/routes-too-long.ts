/** Texts that would not fit one buffer. */
export default {
  backends: ["127.0.0.1:3001"],
  routes: [
    { path: "/respond", respond: { headers: { "X-Long": "c".repeat(12_300) } } },
    { path: "/edits", responseHeaders: { set: { A: "d".repeat(7000) }, add: { B: "e".repeat(7000) } } },
    { path: "/page", errorPages: { 404: { body: "", contentType: "f".repeat(257) } } },
  ],
};
