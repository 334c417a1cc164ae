// Uploads that go on where a locked phone stopped them.
export { Upload, defaultOptions } from "tus-js-client";
