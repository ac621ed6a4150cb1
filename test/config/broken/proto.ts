export default {
  clusters: { ["__proto__"]: { backends: ["localhost:3001"] }, app: { backends: ["localhost:3002"] } },
  listen: { address: ":8080", cluster: "app" },
};
