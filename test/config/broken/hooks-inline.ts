export default {
  listen: "127.0.0.1:8080",
  backends: "localhost:3001",
  hooks: { onRequest() {}, budget: "5", onFailure: "opn" },
  routes: [
    { path: "/a", hooks: [{ onRequset() {} }, { onLog: "log" }] },
    { path: "/b", hooks: { timeout: "1s" } },
  ],
};
