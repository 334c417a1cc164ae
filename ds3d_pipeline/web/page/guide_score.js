// How good a moment of a camera is for a photo: how sharp it is, and how much it shares with the last photo kept.
// Numbers alone, no camera: tested by themselves.

const CELL_PX = 8; // overlap is looked for in cells of so many pixels: the picture shifts, its details do not matter
const TEXTURELESS = 4; // grey values a pixel; real scenes had 18 to 75
const NEVER_SHARP = 0.2; // real scenes had 0.36 to 0.7, and half of that at a blur of 0.3 % of the picture
const BLURRED = 0.6; // of the sharp looks of late
const NEW_VIEW = 0.82; // a photo that shares more brings nothing
const TOO_FAR = 0.4; // neighbours in captures that register had 0.45 to 0.95, different scenes at most 0.25
const LATE_LOOKS = 40;
const FIRST_LOOKS = 8; // a camera needs a second to find light and focus
const LOST_LOOKS = 24;

/** Grey values, (H * W) in 0..255, of RGBA bytes. */
export function greyOf(rgba) {
  const grey = new Float32Array(rgba.length / 4);
  for (let i = 0; i < grey.length; i += 1) grey[i] = 0.299 * rgba[4 * i] + 0.587 * rgba[4 * i + 1] + 0.114 * rgba[4 * i + 2];
  return grey;
}

/**
 * `sharpness`: second over first differences, squared, of the axis where they are fewer. What the picture shows
 * cancels, and a blur along one axis counts. `texture`: root mean square gradient in grey values.
 */
export function sharpnessOf(grey, width) {
  const [across, down] = [1, width].map((step) => differencesAlong(grey, width, step));
  return {
    sharpness: Math.min(across.second / across.first, down.second / down.first),
    texture: Math.sqrt((across.first + down.first) / grey.length),
  };
}

function differencesAlong(grey, width, step) {
  const height = grey.length / width;
  let second = 0;
  let first = 1e-6;
  for (let y = 1; y < height - 1; y += 1) {
    for (let at = y * width + 1; at < (y + 1) * width - 1; at += 1) {
      const before = grey[at - step];
      const after = grey[at + step];
      second += (before + after - 2 * grey[at]) ** 2;
      first += (after - before) ** 2;
    }
  }
  return { second, first };
}

/** The picture in cells, for `overlapOf`: {grey, width, height}. */
export function cellsOf(grey, fullWidth) {
  const width = Math.floor(fullWidth / CELL_PX);
  const height = Math.floor(grey.length / fullWidth / CELL_PX);
  const cells = new Float32Array(width * height);
  for (let y = 0; y < height * CELL_PX; y += 1) {
    const row = Math.floor(y / CELL_PX) * width;
    for (let x = 0; x < width * CELL_PX; x += 1) cells[row + Math.floor(x / CELL_PX)] += grey[y * fullWidth + x] / CELL_PX ** 2;
  }
  return { grey: cells, width, height };
}

/**
 * How much two pictures share, 0 to 1: the part that both show times how well it correlates, at the best shift. A step
 * to the side lowers the first, a step around the object the second.
 */
export function overlapOf(a, b) {
  if (a.width !== b.width || a.height !== b.height) return 0; // the phone was turned
  const [mostX, mostY] = [a.width >> 1, a.height >> 1];
  let best = 0;
  for (let dy = -mostY; dy <= mostY; dy += 1) {
    for (let dx = -mostX; dx <= mostX; dx += 1) {
      const part = (1 - Math.abs(dx) / a.width) * (1 - Math.abs(dy) / a.height);
      best = Math.max(best, part * correlation(a, b, dx, dy));
    }
  }
  return best;
}

function correlation(a, b, dx, dy) {
  const { width, height } = a;
  let [count, sumA, sumB, squaresA, squaresB, products] = [0, 0, 0, 0, 0, 0];
  for (let y = Math.max(0, dy); y < Math.min(height, height + dy); y += 1) {
    for (let x = Math.max(0, dx); x < Math.min(width, width + dx); x += 1) {
      const p = a.grey[y * width + x];
      const q = b.grey[(y - dy) * width + x - dx];
      sumA += p;
      sumB += q;
      squaresA += p * p;
      squaresB += q * q;
      products += p * q;
      count += 1;
    }
  }
  const spread = (count * squaresA - sumA ** 2) * (count * squaresB - sumB ** 2);
  return (count * products - sumA * sumB) / Math.sqrt(Math.max(spread, 1e-6));
}

/**
 * Judges one look after the other: `judge({sharpness, texture, shared})`, with `shared` null before the first photo.
 * Gives {word, isBlurred, relative}: `keep`, or why not (`start`, `blank`, `blurred`, `far`, `still`); `relative` is
 * the sharpness over that of the sharp looks of late.
 */
export function createJudge() {
  let late = [];
  let looks = 0;
  let lost = 0;
  return ({ sharpness, texture, shared }) => {
    const isBlank = texture < TEXTURELESS; // its noise would pass for sharpness
    looks += 1;
    if (!isBlank) late = [...late, sharpness].slice(-LATE_LOOKS);
    const relative = isBlank ? 0 : sharpness / usual(late);
    const isBlurred = !isBlank && (relative < BLURRED || sharpness < NEVER_SHARP);
    const word = looks <= FIRST_LOOKS ? "start" : isBlank ? "blank" : isBlurred ? "blurred" : wordOf(shared);
    lost = word === "far" ? lost + 1 : word === "keep" || word === "still" ? 0 : lost;
    // Nobody went back: a new beginning is better than no photo at all.
    if (lost < LOST_LOOKS) return { word, isBlurred, relative };
    lost = 0;
    return { word: "keep", isBlurred, relative };
  };
}

function usual(late) {
  return [...late].sort((a, b) => a - b)[Math.floor(0.9 * (late.length - 1))];
}

function wordOf(shared) {
  if (shared === null || (shared >= TOO_FAR && shared <= NEW_VIEW)) return "keep";
  return shared < TOO_FAR ? "far" : "still";
}
