// A capture in 3D: mesh or splat, in one frame and under one camera.
// The page hands it three.js. view.html carries these modules in one script, without their imports.

import { button, element } from "/page/parts.js";
import { createRuler } from "/page/ruler.js";

const BACKGROUND = 0x20242b;
const CAMERAS = 0xffd75e;
const MAX_PIXEL_RATIO = 1.5; // a phone's 3 would draw four times as many pixels
const FIRST_FRAMES = 2; // the first one compiles and sorts; more would only keep a slow machine busy
const PLAIN_START = { fov_deg: 50, aspect: 1 };

/**
 * A view in `box`, empty until `show(name)`. There is one WebGL context at most: each switch disposes the last.
 * `scene` is what /api/preview/{job}.json gives. `sources[name]` is {kind, load}: a mesh (GLB) or a splat (SPZ), and
 * a function that gives a promise of the file as an ArrayBuffer; with `cameras`, those of the scene are drawn too.
 */
export function createView(T, box, scene, sources, words) {
  let drawn = null;
  let place = null;
  let turn = 0;

  const close = () => {
    place = drawn?.place() ?? place;
    drawn?.dispose();
    drawn = null;
    box.replaceChildren();
  };

  async function show(name) {
    const { kind, load, cameras } = sources[name];
    const mine = ++turn;
    close();
    say(box, words.loading);
    try {
      const object = await readers[kind](T, await load());
      if (mine !== turn) return release(object);
      const made = await draw(T, box, object, { name, kind, cameras, scene, place, words });
      if (mine !== turn) return made.dispose();
      drawn = made;
    } catch (error) {
      if (mine === turn) say(box, `${words.failed} ${error.message}`);
    }
  }

  return {
    show,
    close() {
      turn += 1;
      close();
    },
  };
}

const readers = {
  async mesh(T, data) {
    const model = (await new T.GLTFLoader().parseAsync(data, "")).scene.children[0];
    const worldFromGltf = new T.Matrix4().set(...model.userData.world_from_gltf.flat());
    place(model, gltfAxes(T).multiply(worldFromGltf));
    return model;
  },
  async splat(T, data) {
    return new T.GaussianSplat(new T.SPZLoader().parse(data));
  },
};

/** glTF's axes (y up) from the world's (y down): half a turn about x. */
function gltfAxes(T) {
  return new T.Matrix4().makeScale(1, -1, -1);
}

function place(object, matrix) {
  object.matrixAutoUpdate = false;
  object.matrix.copy(matrix);
}

async function draw(T, box, object, { name, kind, cameras, scene, place, words }) {
  const renderer = new T.WebGPURenderer({ antialias: kind === "mesh", forceWebGL: true });
  await renderer.init();
  const world = new T.Scene();
  prepare(T, renderer, world, kind);
  world.add(object);
  const wedges = cameras ? drawCameras(T, world, scene.cameras) : null;
  world.updateMatrixWorld(true);
  const camera = new T.PerspectiveCamera();
  const controls = new T.OrbitControls(camera, renderer.domElement);
  const start = startOf(T, scene.start, object);
  const first = cameras ? stepBack(T, start) : (place ?? start);
  const ruler = createRuler(T, camera, object, scene.unit, words);
  let asked = false;
  let gone = false;

  const render = () => {
    asked = false;
    if (gone) return;
    renderer.render(world, camera);
    ruler.update();
  };
  const ask = () => {
    if (!asked) requestAnimationFrame(render);
    asked = true;
  };
  const go = ({ position, target }) => {
    camera.position.copy(position);
    controls.target.copy(target);
    camera.near = start.reach / 1000;
    camera.far = start.reach * 100;
    camera.updateProjectionMatrix();
    controls.update();
    ask();
  };
  const fit = () => {
    renderer.setSize(box.clientWidth, box.clientHeight, false);
    frame(camera, box.clientWidth / Math.max(box.clientHeight, 1), scene.start ?? PLAIN_START);
    ask();
  };

  const canvas = prepareCanvas(renderer.domElement, controls, words);
  box.replaceChildren(canvas, ruler.overlay, buttons(box, words, ruler, () => go(cameras ? first : start)));
  controls.addEventListener("change", ask);
  const resized = new ResizeObserver(fit);
  resized.observe(box);
  ruler.listen(canvas, ask);
  go(first);
  fit();
  for (let count = 0; count < FIRST_FRAMES; count += 1) {
    ask();
    await new Promise(requestAnimationFrame);
  }
  box.dataset.shown = name;

  return {
    place: () => (cameras ? null : { position: camera.position.clone(), target: controls.target.clone() }),
    dispose() {
      gone = true;
      delete box.dataset.shown;
      resized.disconnect();
      controls.dispose();
      release(object);
      if (wedges) release(wedges);
      renderer.dispose();
      canvas.remove();
    },
  };
}

/** Each camera as four edges to the corners of its picture, and the picture's rim. */
function drawCameras(T, world, wedges) {
  const [apex, ...corners] = [0, 1, 2, 3, 4];
  const pairs = corners.flatMap((corner, index) => [apex, corner, corner, corners[(index + 1) % 4]]);
  const points = wedges.flatMap((wedge) => pairs.flatMap((point) => wedge.slice(3 * point, 3 * point + 3)));
  const geometry = new T.BufferGeometry().setAttribute("position", new T.Float32BufferAttribute(points, 3));
  const lines = new T.LineSegments(geometry, new T.LineBasicMaterial({ color: CAMERAS }));
  world.add(lines);
  return lines;
}

/** A splat's colours are stored as they are shown: sRGB once more would wash them out. */
function prepare(T, renderer, world, kind) {
  renderer.setPixelRatio(Math.min(devicePixelRatio, MAX_PIXEL_RATIO));
  const space = kind === "splat" ? T.LinearSRGBColorSpace : T.SRGBColorSpace;
  renderer.outputColorSpace = space;
  world.background = new T.Color().setHex(BACKGROUND, space);
}

function release(object) {
  object.traverse((part) => {
    part.geometry?.dispose();
    for (const material of [part.material].flat().filter(Boolean)) {
      material.map?.source.data?.close?.();
      material.map?.dispose();
      material.dispose();
    }
  });
  object.dispose?.();
}

/** Where the camera begins: at one of the capture's own, else in front of the object. */
function startOf(T, start, object) {
  const bounds = new T.Box3().setFromObject(object);
  const middle = bounds.getCenter(new T.Vector3());
  if (!start) {
    const reach = bounds.getSize(new T.Vector3()).length();
    return { position: middle.clone().add(new T.Vector3(0.2, 0.15, 0.9).multiplyScalar(reach)), target: middle, reach };
  }
  const position = new T.Vector3(...start.position);
  const target = new T.Vector3(...start.target);
  return { position, target, reach: position.distanceTo(target) };
}

/** The whole photo fits into the box, whichever of the two is narrower. */
function frame(camera, aspect, photo) {
  const half = Math.tan((photo.fov_deg * Math.PI) / 360) * Math.max(1, photo.aspect / aspect);
  camera.aspect = aspect;
  camera.fov = (360 / Math.PI) * Math.atan(half);
  camera.updateProjectionMatrix();
}

/** Behind and above the cameras, so that they are seen too. */
function stepBack(T, { position, target, reach }) {
  const away = position.clone().sub(target).multiplyScalar(2);
  return { position: target.clone().add(away).add(new T.Vector3(0, reach / 2, 0)), target, reach };
}

function prepareCanvas(canvas, controls, words) {
  const turns = {
    ArrowLeft: () => controls.rotateLeft(0.1),
    ArrowRight: () => controls.rotateLeft(-0.1),
    ArrowUp: () => controls.rotateUp(0.1),
    ArrowDown: () => controls.rotateUp(-0.1),
    "+": () => controls.dollyIn(1.1),
    "-": () => controls.dollyOut(1.1),
  };
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", words.keys);
  canvas.addEventListener("keydown", (event) => {
    if (!(event.key in turns)) return;
    event.preventDefault();
    turns[event.key]();
    controls.update();
  });
  return canvas;
}

function buttons(box, words, ruler, reset) {
  const bar = element("div", { className: "view-buttons" });
  bar.append(button(words.reset, reset));
  if (ruler.isKnown) bar.append(ruler.button);
  if (box.requestFullscreen) bar.append(button(words.fullscreen, () => toggleFullscreen(box)));
  return bar;
}

function toggleFullscreen(box) {
  if (document.fullscreenElement) document.exitFullscreen();
  else box.requestFullscreen();
}

/** The one sentence that a box holds in place of a view. */
export function say(box, text) {
  const note = element("p", { className: "view-note", textContent: text });
  note.setAttribute("role", "status");
  box.replaceChildren(note);
}
