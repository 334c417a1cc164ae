// What the page draws with: mesh, splat and points in one scene.
export {
  Box3,
  BufferGeometry,
  Color,
  Float32BufferAttribute,
  Group,
  HemisphereLight,
  Line,
  LineBasicMaterial,
  LineSegments,
  LinearSRGBColorSpace,
  Matrix4,
  Mesh,
  MeshBasicMaterial,
  PerspectiveCamera,
  Points,
  PointsMaterial,
  Raycaster,
  SRGBColorSpace,
  Scene,
  SphereGeometry,
  Vector2,
  Vector3,
  WebGPURenderer,
} from "three/webgpu";
export { OrbitControls } from "three/addons/controls/OrbitControls.js";
export { GLTFLoader } from "three/addons/loaders/GLTFLoader.js";
export { SPZLoader } from "three/addons/loaders/SPZLoader.js";
export { GaussianSplat } from "three/addons/objects/GaussianSplat.js";
