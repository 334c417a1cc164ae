// Small pictures of the photos that are about to be sent: decoded one at a time, and only those that are in sight.

const SHOWN = 48;
const SIDE_PX = 96;
const LARGEST_BYTES = 40e6; // a photo is decoded whole before it is small
const PICTURE = /\.(jpe?g|jfif|jpe|png|webp|avif|bmp)$/i;

/**
 * Gives `show(files)`: the photos among them as pictures in `list`, the others (videos, HEIC) by name. Each call frees
 * what the one before it made.
 */
export function createThumbnails(list) {
  let seen = null;
  return (files) => {
    seen?.disconnect();
    const mine = files.slice(0, SHOWN).map((file) => [itemOf(file), file]);
    const fileOf = new Map(mine);
    let queue = Promise.resolve();
    const observer = new IntersectionObserver((entries) => {
      for (const { target } of entries.filter((entry) => entry.isIntersecting)) {
        observer.unobserve(target);
        queue = queue.then(() => seen === observer && draw(target, fileOf.get(target)));
      }
    });
    seen = observer;
    list.hidden = files.length === 0;
    for (const canvas of list.querySelectorAll("canvas")) canvas.width = 0; // the browser would free them late
    list.replaceChildren(...fileOf.keys());
    for (const [item, file] of mine) if (PICTURE.test(file.name) && file.size <= LARGEST_BYTES) observer.observe(item);
  };
}

function itemOf(file) {
  const item = document.createElement("li");
  const name = document.createElement("span");
  name.textContent = file.name;
  item.title = file.name;
  item.append(name);
  return item;
}

async function draw(item, file) {
  const bitmap = await createImageBitmap(file, { resizeHeight: SIDE_PX, resizeQuality: "medium" }).catch(() => null);
  if (!bitmap) return; // the browser cannot read it, the server may: its name stays
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: bitmap.width, height: bitmap.height });
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  bitmap.close();
  canvas.setAttribute("aria-hidden", "true");
  item.prepend(canvas);
}
