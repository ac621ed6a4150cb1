export const config = { backends: ["localhost:3001"] };
