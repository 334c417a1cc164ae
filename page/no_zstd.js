// In place of three.js's decoder for SPZ version 4: ds3d writes version 3, and the page allows no WebAssembly.
export class ZSTDDecoder {
  async init() {
    throw new Error("SPZ version 4 is not read here.");
  }
}
