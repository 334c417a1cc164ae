// Measuring in a view by two clicks.

import { button, element, set, svg } from "/page/parts.js";

const CLICK_PX = 5; // a finger that moved further was turning the view

/** Two clicks measure a distance, where the unit of all lengths is known. */
export function createRuler(T, camera, object, unit, words) {
  const overlay = svg("svg", { class: "view-ruler", "aria-hidden": "true" });
  const line = svg("line");
  const ends = [svg("circle", { r: 5 }), svg("circle", { r: 5 })];
  const note = element("p", { className: "view-note" });
  note.setAttribute("role", "status");
  const layer = element("div", { className: "view-layer" });
  overlay.append(line, ...ends);
  layer.append(overlay, note);
  let points = [];
  const toggle = button(words.measure, () => {
    const isOn = toggle.getAttribute("aria-pressed") !== "true";
    toggle.setAttribute("aria-pressed", isOn);
    points = [];
    note.textContent = isOn ? words.measureFirst : "";
    update();
  });
  toggle.setAttribute("aria-pressed", "false");

  function update() {
    const size = { x: layer.clientWidth, y: layer.clientHeight };
    const seen = points.map((point) => onScreen(point.clone().project(camera), size));
    ends.forEach((end, index) => {
      end.setAttribute("visibility", seen[index] ? "visible" : "hidden");
      if (seen[index]) set(end, { cx: seen[index].x, cy: seen[index].y });
    });
    line.setAttribute("visibility", seen.length === 2 ? "visible" : "hidden");
    if (seen.length === 2) set(line, { x1: seen[0].x, y1: seen[0].y, x2: seen[1].x, y2: seen[1].y });
  }

  function take(x, y) {
    const caster = new T.Raycaster();
    caster.setFromCamera(new T.Vector2(x, y), camera);
    const [hit] = caster.intersectObject(object, true);
    if (!hit) return;
    points = points.length === 2 ? [hit.point] : [...points, hit.point];
    note.textContent = points.length === 2 ? length(points[0].distanceTo(points[1]), unit) : words.measureSecond;
  }

  function listen(canvas, ask) {
    let from = null;
    canvas.addEventListener("pointerdown", (event) => (from = event));
    canvas.addEventListener("pointerup", (event) => {
      const isClick = from && Math.hypot(event.clientX - from.clientX, event.clientY - from.clientY) < CLICK_PX;
      if (!isClick || toggle.getAttribute("aria-pressed") !== "true") return;
      const area = canvas.getBoundingClientRect();
      take(
        (2 * (event.clientX - area.left)) / area.width - 1,
        1 - (2 * (event.clientY - area.top)) / area.height,
      );
      ask();
    });
  }

  return { overlay: layer, button: toggle, isKnown: Boolean(unit), update, listen };
}

function onScreen(projected, size) {
  return { x: ((projected.x + 1) / 2) * size.x, y: ((1 - projected.y) / 2) * size.y };
}

function length(value, unit) {
  return value < 1 && unit === "m" ? `${(100 * value).toFixed(1)} cm` : `${value.toFixed(2)} ${unit}`;
}
