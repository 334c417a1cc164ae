// Photos of a guided capture, kept on this device until the server has them: a locked screen, a reload or a
// browser that ends costs none.

const NAME = "ds3d-guide";
const TABLE = "photos";

/** Keeps {blob, cells, isBlurred, at}. Rejects where this device has no room. */
export function addPhoto(photo) {
  return using("readwrite", (table) => table.add(photo));
}

/** All that are kept, in the order they were taken. */
export function keptPhotos() {
  return using("readonly", (table) => table.getAll());
}

export function forgetPhotos() {
  return using("readwrite", (table) => table.clear());
}

async function using(mode, ask) {
  const database = await opened();
  try {
    const change = database.transaction(TABLE, mode);
    const request = ask(change.objectStore(TABLE));
    await new Promise((resolve, reject) => {
      change.oncomplete = resolve;
      change.onabort = () => reject(change.error);
    });
    return request.result;
  } finally {
    database.close();
  }
}

function opened() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(TABLE, { autoIncrement: true });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
