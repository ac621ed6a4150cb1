const port = Number("nothing");
if (Number.isNaN(port)) throw new Error("the port is no number");

export default { listen: port, backends: ["localhost:3001"] };
