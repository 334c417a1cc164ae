// Uploads that go on where a locked phone stopped them.
export { Upload } from "tus-js-client";
