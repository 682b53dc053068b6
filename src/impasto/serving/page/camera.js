// A picture from the camera of whoever looks at the page.
import { $, tell } from "/page/make.js";
import { word } from "/page/words.js";

let stream = null;

export async function open() {
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 4096 }, height: { ideal: 2160 } } });
  } catch {
    tell(word("no_camera"));
    return;
  }
  $("finder").srcObject = stream;
  $("camera").showModal();
}

export function listen(take) {
  $("camera").addEventListener("close", () => stream?.getTracks().forEach(track => track.stop()));
  $("camera-close").addEventListener("click", () => $("camera").close());
  $("camera-take").addEventListener("click", () => {
    const finder = $("finder"), canvas = Object.assign(document.createElement("canvas"), { width: finder.videoWidth, height: finder.videoHeight });
    canvas.getContext("2d").drawImage(finder, 0, 0);
    $("camera").close();
    canvas.toBlob(blob => take([new File([blob], "camera.jpg", { type: "image/jpeg" })]), "image/jpeg", 0.95);
  });
}
