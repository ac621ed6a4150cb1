/** Texts with variables that are too long by themselves. */
export default {
  backends: ["127.0.0.1:3001"],
  routes: [
    { path: "/redirect", redirect: `/${"a".repeat(8192)}` },
    { path: "/rewrite", rewrite: `/${"b".repeat(8192)}` },
    { path: "/header", requestHeaders: { set: { A: "c".repeat(8193) } } },
  ],
};
