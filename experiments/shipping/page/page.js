"use strict";
// Two faces, what lies between them, and what changes it. Everything that it needs is in the files beside this one.

const { about, models, mean, directions, vectors, starts } = window.facezooModel;
const SIZE = about.picture.shape[1];
const CHANNELS = about.picture.shape[3];
const STRIP = 8; // new faces shown
const TYPICAL = 0.8; // share of the noise that is kept
const MOST_STRENGTH = 1.5; // of an attribute
const MOST_TIMES = 1000; // of pictures, that are kept
const LAP = 5000; // milliseconds of a film from one face to the other and back
const element = (id) => document.getElementById(id);
const told = (text, isWrong = false) => {
  element("state").textContent = text;
  element("state").classList.toggle("wrong", isWrong);
};

// What is embedded.

function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}

function floatsOf(base64) {
  return new Float32Array(bytesOf(base64).buffer);
}

async function unpack(base64) {
  const unzipped = new Blob([bytesOf(base64)]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(unzipped).arrayBuffer());
}

// The model.

const average = floatsOf(mean);
const ways = directions.map(floatsOf); // in which faces differ, each as long as they do
const changes = vectors.map((vector) => ({ name: vector.name, vector: floatsOf(vector.vector), strength: 0 }));
const sessions = {};
let queue = Promise.resolve();

async function load() {
  const { glue, wasm } = window.facezooRuntime;
  ort.env.wasm.numThreads = 1; // more are not allowed in a file that was opened from a disk
  ort.env.wasm.wasmBinary = (await unpack(wasm)).buffer;
  ort.env.wasm.wasmPaths = { mjs: URL.createObjectURL(new Blob([glue], { type: "text/javascript" })) };
  for (const part of ["decoder", "encoder"]) {
    sessions[part] = await ort.InferenceSession.create(await unpack(models[part]), { executionProviders: ["wasm"] });
  }
}

function run(part, numbers, shape) {
  const next = queue.then(async () => {
    const session = sessions[part];
    const found = await session.run({ [session.inputNames[0]]: new ort.Tensor("float32", numbers, shape) });
    return found[session.outputNames[0]].data;
  });
  queue = next.catch(() => {});
  return next;
}

const encode = (picture) => run("encoder", picture, about.picture.shape);
const decode = (code) => run("decoder", code, about.code.shape);

// Codes.

function seeded(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function drawCode(seed) {
  const next = seeded(seed);
  const code = Float32Array.from(average);
  for (const way of ways) {
    const normal = Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
    for (let place = 0; place < code.length; place += 1) code[place] += TYPICAL * normal * way[place];
  }
  return code;
}

// On the great circle where codes lie around the origin, else on the straight line; both at the ends exactly.
function between(start, end, share) {
  let product = 0, first = 0, second = 0;
  for (let place = 0; place < start.length; place += 1) {
    product += start[place] * end[place];
    first += start[place] ** 2;
    second += end[place] ** 2;
  }
  const angle = Math.acos(Math.min(1, Math.max(-1, product / Math.sqrt(first * second || 1))));
  const isRound = about.path === "slerp" && Math.sin(angle) > 1e-3;
  const from = isRound ? Math.sin((1 - share) * angle) / Math.sin(angle) : 1 - share;
  const to = isRound ? Math.sin(share * angle) / Math.sin(angle) : share;
  return start.map((number, place) => from * number + to * end[place]);
}

function changed(code) {
  const moved = Float32Array.from(code);
  for (const { vector, strength } of changes) {
    if (strength) for (let place = 0; place < moved.length; place += 1) moved[place] += strength * vector[place];
  }
  return moved;
}

// Pictures.

const small = new OffscreenCanvas(SIZE, SIZE);

function show(canvas, picture) {
  const image = new ImageData(SIZE, SIZE);
  for (let pixel = 0; pixel < SIZE * SIZE; pixel += 1) {
    for (let channel = 0; channel < 3; channel += 1) {
      image.data[4 * pixel + channel] = Math.round(255 * picture[CHANNELS * pixel + (channel % CHANNELS)]);
    }
    image.data[4 * pixel + 3] = 255;
  }
  small.getContext("2d").putImageData(image, 0, 0);
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(small, 0, 0, canvas.width, canvas.height);
}

// What is shown: two ends, and the face between them. The newest wish counts; those that it overtakes are left out.

const ends = { a: starts[0] ? floatsOf(starts[0]) : drawCode(3), b: starts[1] ? floatsOf(starts[1]) : drawCode(8) };
const photographed = { a: false, b: false }; // ends that are of somebody
const times = [];
let asked = null, isBusy = false, hasFailed = false, isOfSomebody = false; // the last of the picture that is shown

function wish() {
  asked = asked ?? performance.now();
  if (!isBusy) fulfil();
}

async function fulfil() {
  isBusy = true;
  try {
    while (asked !== null) {
      const since = asked;
      asked = null;
      const share = Number(element("morph").value);
      const hasPhotograph = (photographed.a && share < 1) || (photographed.b && share > 0);
      const picture = await decode(changed(between(ends.a, ends.b, share)));
      show(element("picture"), picture);
      show(element("echo"), picture);
      isOfSomebody = hasPhotograph;
      times.push(performance.now() - since);
      if (times.length > MOST_TIMES) times.shift();
      if (hasFailed) told("");
      hasFailed = false;
    }
  } catch (error) {
    hasFailed = true;
    told(`The picture could not be made: ${error.message}`, true);
  } finally {
    isBusy = false;
  }
}

async function setEnd(name, code, isPhotograph = false) {
  ends[name] = code;
  photographed[name] = isPhotograph;
  show(element(`end-${name}`).querySelector("canvas"), await decode(code));
  wish();
}

// A photograph: a frame of the picture's own shape, moved over it by hand.

const cutting = { image: null, end: "a", x: 0, y: 0, side: 1, least: 1, most: 1, pointers: new Map() };

async function openPhotograph(file, end) {
  try {
    cutting.image = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    told("That file is no picture that this browser can read.", true);
    return;
  }
  told("");
  const { width, height } = cutting.image;
  cutting.end = end;
  cutting.most = Math.min(width, height);
  cutting.least = Math.min(cutting.most, Math.max(SIZE / 2, cutting.most / 8));
  cutting.side = cutting.most;
  cutting.x = width / 2;
  cutting.y = height / 2;
  element("zoom").value = 0;
  drawFrame();
  element("cutting").showModal();
}

// White, which is what shows through where a picture is transparent.
function paint(canvas) {
  const context = canvas.getContext("2d");
  context.fillStyle = "white";
  context.fillRect(0, 0, canvas.width, canvas.height);
}

function drawFrame() {
  const canvas = element("frame"), context = canvas.getContext("2d"), half = cutting.side / 2;
  cutting.x = Math.min(cutting.image.width - half, Math.max(half, cutting.x));
  cutting.y = Math.min(cutting.image.height - half, Math.max(half, cutting.y));
  context.imageSmoothingQuality = "high";
  const { image, x, y, side } = cutting;
  paint(canvas);
  context.drawImage(image, x - half, y - half, side, side, 0, 0, canvas.width, canvas.height);
  const [left, right, , leftMouth, rightMouth] = about.guide.map(([across, down]) => [across * canvas.width, down * canvas.height]);
  for (const [width, colour] of [[7, "rgb(0 0 0 / 35%)"], [3, "white"]]) {
    context.lineWidth = width;
    context.strokeStyle = colour;
    context.lineCap = "round";
    for (const [across, down] of [left, right]) {
      context.beginPath();
      context.ellipse(across, down, canvas.width * 0.06, canvas.width * 0.035, 0, 0, 2 * Math.PI);
      context.stroke();
    }
    context.beginPath();
    context.moveTo(...leftMouth);
    context.quadraticCurveTo((leftMouth[0] + rightMouth[0]) / 2, leftMouth[1] + canvas.width * 0.04, ...rightMouth);
    context.stroke();
  }
}

function zoomTo(side) {
  cutting.side = Math.min(cutting.most, Math.max(cutting.least, side));
  const range = Math.log(cutting.most / cutting.least);
  element("zoom").value = range ? Math.log(cutting.most / cutting.side) / range : 0;
  drawFrame();
}

function cutPhotograph() {
  const half = cutting.side / 2;
  // By halves first: a browser that shrinks a large picture at once leaves pixels out.
  let picture = new OffscreenCanvas(Math.min(cutting.side, 1024), Math.min(cutting.side, 1024));
  let context = picture.getContext("2d");
  paint(picture);
  context.imageSmoothingQuality = "high";
  context.drawImage(cutting.image, cutting.x - half, cutting.y - half, cutting.side, cutting.side, 0, 0, picture.width, picture.height);
  while (picture.width > SIZE) {
    const next = Math.max(SIZE, Math.ceil(picture.width / 2)), smaller = new OffscreenCanvas(next, next);
    context = smaller.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(picture, 0, 0, next, next);
    picture = smaller;
  }
  if (picture.width < SIZE) {
    context = small.getContext("2d");
    context.drawImage(picture, 0, 0, SIZE, SIZE);
  }
  const pixels = context.getImageData(0, 0, SIZE, SIZE).data, found = new Float32Array(SIZE * SIZE * CHANNELS);
  for (let pixel = 0; pixel < SIZE * SIZE; pixel += 1) {
    const [red, green, blue] = pixels.subarray(4 * pixel, 4 * pixel + 3);
    if (CHANNELS === 1) found[pixel] = (0.299 * red + 0.587 * green + 0.114 * blue) / 255;
    else found.set([red / 255, green / 255, blue / 255], 3 * pixel);
  }
  return found;
}

function watchFrame() {
  const canvas = element("frame"), { pointers } = cutting;
  const perPixel = () => cutting.side / canvas.clientWidth;
  const spread = () => {
    const [first, second] = [...pointers.values()];
    return Math.hypot(first.clientX - second.clientX, first.clientY - second.clientY);
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, event);
  });
  canvas.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    const apart = pointers.size === 2 ? spread() : 0;
    pointers.set(event.pointerId, event);
    cutting.x -= ((event.clientX - before.clientX) * perPixel()) / pointers.size;
    cutting.y -= ((event.clientY - before.clientY) * perPixel()) / pointers.size;
    if (apart) zoomTo((cutting.side * apart) / Math.max(1, spread()));
    else drawFrame();
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, (event) => pointers.delete(event.pointerId));
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoomTo(cutting.side * Math.exp(event.deltaY / 600));
  }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!step) return;
    event.preventDefault();
    cutting.x += 0.02 * step[0] * cutting.side;
    cutting.y += 0.02 * step[1] * cutting.side;
    drawFrame();
  });
  element("zoom").addEventListener("input", (event) => {
    zoomTo(cutting.most * (cutting.least / cutting.most) ** Number(event.target.value));
  });
  element("cutting").addEventListener("close", async () => {
    const { image, end } = cutting, picture = element("cutting").returnValue === "take" ? cutPhotograph() : null;
    element("cutting").returnValue = "";
    pointers.clear();
    image.close();
    if (!picture) return;
    try {
      await setEnd(end, Float32Array.from(await encode(picture)), true);
    } catch (error) {
      told(`The photograph could not be read: ${error.message}`, true);
    }
  });
}

// A PNG that says what it is, as all of facezoo's do.

function checksum(bytes) {
  let sum = -1;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit += 1) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
  }
  return ~sum >>> 0;
}

function textChunk(keyword, text) {
  const content = new TextEncoder().encode(`tEXt${keyword}\0${text}`), chunk = new Uint8Array(content.length + 8);
  const view = new DataView(chunk.buffer);
  view.setUint32(0, content.length - 4);
  chunk.set(content, 4);
  view.setUint32(content.length + 4, checksum(content));
  return chunk;
}

async function save() {
  const origin = isOfSomebody ? "made from a photograph" : "of nobody";
  const png = await new Promise((done) => element("picture").toBlob(done, "image/png"));
  const bytes = new Uint8Array(await png.arrayBuffer()), header = 33; // bytes of the signature and of IHDR
  const description = `a face made by the model ${about.name.replace(/[^ -~]/g, "?")}, ${origin}`;
  const parts = [
    bytes.subarray(0, header),
    textChunk("Software", `facezoo ${about.facezoo}`),
    textChunk("Description", description),
    bytes.subarray(header),
  ];
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(parts, { type: "image/png" }));
  link.download = "face.png";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

// What a person does.

let seed = Math.floor(Math.random() * 2 ** 31), film = 0, next = "a";

function play() {
  const isOn = element("play").getAttribute("aria-pressed") !== "true";
  element("play").setAttribute("aria-pressed", String(isOn));
  element("play").setAttribute("aria-label", isOn ? "Pause" : "Play");
  cancelAnimationFrame(film);
  if (!isOn) return;
  const begin = performance.now() - (LAP * Math.acos(1 - 2 * Number(element("morph").value))) / (2 * Math.PI);
  const step = (now) => {
    element("morph").value = (1 - Math.cos((2 * Math.PI * (now - begin)) / LAP)) / 2;
    wish();
    film = requestAnimationFrame(step);
  };
  film = requestAnimationFrame(step);
}

async function fillStrip(first) {
  const strip = element("strip");
  if (!strip.children.length) {
    for (let place = 0; place < STRIP; place += 1) {
      const button = document.createElement("button"), canvas = document.createElement("canvas");
      canvas.width = canvas.height = 256;
      button.type = "button";
      button.setAttribute("aria-label", `New face ${place + 1}`);
      button.append(canvas);
      button.addEventListener("click", () => {
        setEnd(next, button.code);
        next = next === "a" ? "b" : "a";
      });
      strip.append(button);
    }
  }
  for (const [place, button] of [...strip.children].entries()) {
    button.code = drawCode(first + place);
    show(button.firstChild, await decode(button.code));
  }
}

function makeSliders() {
  element("edits").hidden = !changes.length;
  for (const change of changes) {
    const label = document.createElement("label"), output = document.createElement("output");
    const slider = document.createElement("input");
    Object.assign(slider, { type: "range", min: -MOST_STRENGTH, max: MOST_STRENGTH, step: 0.05, value: 0 });
    label.append(change.name.replaceAll("_", " "), output, slider);
    slider.addEventListener("input", () => {
      change.strength = Number(slider.value);
      output.textContent = change.strength ? change.strength.toFixed(2).replace("-", "−") : "";
      wish();
    });
    element("edits").querySelector(".sliders").append(label);
  }
  const sliders = element("edits").querySelector(".sliders");
  element("all").hidden = [...sliders.children].every((label) => label.offsetParent);
  element("all").addEventListener("click", () => {
    sliders.classList.remove("short");
    element("all").hidden = true;
  });
  element("reset").addEventListener("click", () => {
    for (const slider of element("edits").querySelectorAll("input")) {
      slider.value = 0;
      slider.dispatchEvent(new Event("input"));
    }
  });
}

// The picture is shown small in a corner while what changes it is seen and the picture itself is not.
function watchEcho() {
  const seen = new Map();
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) seen.set(entry.target.id, entry.intersectionRatio);
    element("echo").hidden = !(seen.get("edits") > 0.25 && seen.get("picture") < 0.35);
  }, { threshold: [0, 0.25, 0.35, 0.5] });
  for (const id of ["picture", "edits"]) watcher.observe(element(id));
}

function watch() {
  makeSliders();
  watchFrame();
  watchEcho();
  element("morph").addEventListener("input", () => {
    if (element("play").getAttribute("aria-pressed") === "true") play();
    wish();
  });
  element("play").addEventListener("click", play);
  element("save").addEventListener("click", save);
  element("more").addEventListener("click", () => fillStrip((seed += STRIP)));
  for (const figure of document.querySelectorAll(".end")) {
    const { end } = figure.dataset, input = figure.querySelector("input");
    figure.querySelector("[data-do=draw]").addEventListener("click", () => setEnd(end, drawCode((seed += 1))));
    input.addEventListener("change", () => {
      if (input.files.length) openPhotograph(input.files[0], end);
      input.value = "";
    });
    figure.addEventListener("dragover", (event) => {
      event.preventDefault();
      figure.classList.add("over");
    });
    figure.addEventListener("dragleave", () => figure.classList.remove("over"));
    figure.addEventListener("drop", (event) => {
      event.preventDefault();
      figure.classList.remove("over");
      if (event.dataTransfer.files.length) openPhotograph(event.dataTransfer.files[0], end);
    });
  }
  for (const kind of ["dragover", "drop"]) document.addEventListener(kind, (event) => event.preventDefault());
}

async function begin() {
  try {
    await load();
    await setEnd("a", ends.a);
    await setEnd("b", ends.b);
    told("");
    watch();
    await fillStrip(101);
    element("about").textContent = `Model ${about.name}, trained on ${about.trained_on}; faces of ${SIZE} × ${SIZE} pixels. Made with facezoo ${about.facezoo}.`;
    window.facezoo = { times, ends, decode, encode };
    document.body.dataset.ready = "";
  } catch (error) {
    told(`The model could not be loaded: ${error.message}`, true);
  }
}

begin();
