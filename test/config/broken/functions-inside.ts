const config: unknown = { backends: () => ["localhost:3001"], workers: () => 2, log: new Map() };

export default config;
