export default "localhost:3001";
