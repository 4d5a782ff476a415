// Runs the play: node run.mjs orepass-wasm.wasm. A panic of it is a trap, and ends this with an error.
import { readFile } from "node:fs/promises";
import process from "node:process";

const { instance } = await WebAssembly.instantiate(await readFile(process.argv[2]), {});
const code = instance.exports.main(0, 0);
console.log(code === 0 ? "the sessions play as WebAssembly" : `the play ended with ${code}`);
process.exit(code);
