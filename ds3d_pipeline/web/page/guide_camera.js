// The browser's camera: pictures of it, small ones to look at and whole ones to keep.

import { cellsOf, greyOf, sharpnessOf } from "/page/guide_score.js";

const LOOK_SIDE_PX = 384;
const JPEG_QUALITY = 0.92;
const WANTED = { facingMode: "environment", width: { ideal: 3840 }, height: { ideal: 2160 } };

/** Whether this browser gives a page of this address a camera at all. */
export function hasCameraAccess() {
  return isSecureContext && Boolean(navigator.mediaDevices?.getUserMedia);
}

export async function hasCamera() {
  return (await navigator.mediaDevices.enumerateDevices()).some((device) => device.kind === "videoinput");
}

/** Shows the camera in `video`. Rejects with the browser's DOMException where there is none to have. */
export async function openCamera(video) {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: false, video: WANTED });
  video.srcObject = stream;
  await video.play();
  const small = document.createElement("canvas");
  const context = small.getContext("2d", { willReadFrequently: true });
  // The screen stays on while one films. Where the browser refuses (battery), the photos are kept all the same.
  const light = await navigator.wakeLock?.request("screen").catch(() => null);

  return {
    isLive: () => stream.getVideoTracks().every((track) => track.readyState === "live"),
    hasPicture: () => video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA,
    /** {sharpness, texture, cells} of this moment. */
    look() {
      const scale = LOOK_SIDE_PX / Math.max(video.videoWidth, video.videoHeight);
      const [width, height] = [video.videoWidth, video.videoHeight].map((side) => Math.round(side * scale));
      if (small.width !== width || small.height !== height) Object.assign(small, { width, height });
      context.drawImage(video, 0, 0, width, height);
      const grey = greyOf(context.getImageData(0, 0, width, height).data);
      return { ...sharpnessOf(grey, width), cells: cellsOf(grey, width) };
    },
    photo: () => photoOf(video),
    close() {
      for (const track of stream.getTracks()) track.stop();
      video.srcObject = null;
      light?.release();
    },
  };
}

/** This moment in full size, as a JPEG. */
function photoOf(video) {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: video.videoWidth, height: video.videoHeight });
  canvas.getContext("2d").drawImage(video, 0, 0);
  return new Promise((resolve) => {
    canvas.toBlob(
      (blob) => {
        canvas.width = 0; // Safari frees a canvas late
        resolve(blob);
      },
      "image/jpeg",
      JPEG_QUALITY,
    );
  });
}
