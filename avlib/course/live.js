// The page's side of avlib.course.live: it records, sends, and draws what the kernel answers.

const GAP_MS = 250; // at most four updates a second
const PATIENCE_MS = 10_000; // for an answer while recording
const FILE_PATIENCE_MS = 180_000; // a file may be long
const POLITE_MS = 2_000; // a screen reader is interrupted no more often
const SILENT_DB = -60;
const MEASURED = 20; // updates that the medians are taken over
const DEAD = "The kernel does not answer; run the cell again. Microphone and camera are off.";
const OR_FILE = " Or load a file here.";

const PAGE = `
<p>Sound and picture are judged by the kernel that this cell runs in (on Colab a machine of Google’s, else
your own), and go nowhere else. Nothing is stored unless you press “keep”. The recogniser judges the sound
alone; the face is shown as a face network would get it.</p>
<div class="controls">
  <button data-of="start">microphone</button>
  <label><input type="checkbox" data-of="withCamera"> and camera</label>
  <label><input type="checkbox" data-of="brief"> <span data-of="briefly"></span></label>
  <button data-of="stop" disabled>stop</button>
  <button data-of="keep">keep</button>
  <button data-of="clip" hidden>play a clip as if live</button>
  <label>or a file: <input type="file" data-of="file"></label>
</div>
<p><label>level <meter data-of="level" min="${SILENT_DB}" max="0" value="${SILENT_DB}"></meter></label>
  <span data-of="decibel">off</span></p>
<p class="problem" role="alert" data-of="problem"></p>
<p class="said" data-of="said">Press “microphone” and speak.</p>
<div class="shown">
  <div class="bars" data-of="bars" role="group" aria-label="probabilities"></div>
  <figure><canvas data-of="mel" width="260" height="170" role="img" aria-label="spectrogram: nothing yet"></canvas>
    <figcaption data-of="melSaid">What the recogniser gets: nothing yet.</figcaption></figure>
  <figure data-of="seen" hidden><div style="display: flex; gap: 6px">
    <video data-of="video" width="136" height="102" muted playsinline aria-label="your camera"></video>
    <canvas data-of="face" style="width: 102px; height: 102px" role="img" aria-label="face: none yet"></canvas></div>
    <figcaption>What a face network would get. <span data-of="faceSaid"></span></figcaption></figure>
</div>
<ol data-of="segments" aria-label="stretches of the file"></ol>
<p><small data-of="measured">No updates yet.</small></p>
<p class="unseen" aria-live="polite" data-of="polite"></p>`;

// Runs beside the page's own work, so that a busy page loses no sample.
const WORKLET = `registerProcessor("avlib-capture", class extends AudioWorkletProcessor {
  constructor() { super(); this.samples = new Float32Array(1024); this.filled = 0; }
  process([[channel]]) {
    if (!channel) return true;
    this.samples.set(channel, this.filled);
    this.filled += channel.length;
    if (this.filled === this.samples.length) {
      this.port.postMessage({ samples: this.samples.slice(), end: currentTime + channel.length / sampleRate });
      this.filled = 0;
    }
    return true;
  }
});`;

async function capture(context, onBlock) {
  try {
    const address = URL.createObjectURL(new Blob([WORKLET], { type: "text/javascript" }));
    await context.audioWorklet.addModule(address);
    URL.revokeObjectURL(address);
    const node = new AudioWorkletNode(context, "avlib-capture", { channelCount: 1, channelCountMode: "explicit" });
    node.port.onmessage = ({ data }) =>
      onBlock(data.samples, performance.now() - 1000 * Math.max(0, context.currentTime - data.end));
    return node;
  } catch { // a page whose policy refuses code from a Blob
    const node = context.createScriptProcessor(1024, 1, 1);
    node.onaudioprocess = ({ inputBuffer }) => onBlock(inputBuffer.getChannelData(0).slice(), performance.now());
    return node;
  }
}

// Asks the kernel, and gives its answer, or fails when there is none in time.
class Line {
  constructor(model) {
    this.model = model;
    this.me = Math.random().toString(36).slice(2); // two views of one widget share its messages
    this.number = 0;
    this.open = new Map();
    this.hear = (answer, buffers) => {
      const asked = this.open.get(answer.id);
      if (!asked) return;
      if (answer.refused) asked.fail(new Error(answer.refused));
      else asked.take([answer, buffers.map((one) => new Uint8Array(one.buffer, one.byteOffset, one.byteLength))]);
    };
    this.lose = () => this.open.forEach((asked) => asked.fail(new Error(DEAD)));
    model.on("msg:custom", this.hear);
    for (const event of ["comm:close", "comm_live_update"]) model.on(event, this.lose); // a restart
  }

  ask(message, buffers = [], patience = PATIENCE_MS) {
    const id = `${this.me}-${this.number++}`;
    return new Promise((take, fail) => {
      const timer = setTimeout(() => fail(new Error(DEAD)), patience);
      this.open.set(id, { take, fail, timer });
      this.model.send({ ...message, id }, undefined, buffers);
    }).finally(() => {
      clearTimeout(this.open.get(id).timer);
      this.open.delete(id);
    });
  }

  end() {
    this.model.off("msg:custom", this.hear);
    for (const event of ["comm:close", "comm_live_update"]) this.model.off(event, this.lose);
  }
}

function whyNot(error, wanted) {
  const sentences = {
    NotAllowedError: `The browser refused the ${wanted}. Allow it for this page (the sign beside the address), and press again.`,
    NotFoundError: `No ${wanted} was found. Plug one in${wanted === "microphone" ? "" : " or untick the camera"}, and press again.`,
    NotReadableError: `The ${wanted} cannot be opened; close other programs that use it, and press again.`,
  };
  return (sentences[error.name] ?? `The ${wanted} cannot be used (${error.name}: ${error.message}).`) + OR_FILE;
}

const CIVIDIS = [[0, 34, 78], [26, 56, 111], [67, 78, 108], [97, 101, 111], [125, 124, 120],
  [155, 148, 118], [188, 174, 108], [222, 201, 88], [254, 232, 56]];

function drawMel(canvas, mel, bands, columns) {
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, canvas.width, canvas.height);
  if (!columns) return;
  const image = new ImageData(columns, bands);
  mel.forEach((value, place) => {
    const below = Math.min(7, Math.floor(value / 32)), share = value / 32 - below;
    const row = bands - 1 - Math.floor(place / columns); // low frequencies lie at the bottom
    const colour = CIVIDIS[below].map((one, index) => one + share * (CIVIDIS[below + 1][index] - one));
    image.data.set([...colour, 255], 4 * (row * columns + (place % columns)));
  });
  const small = new OffscreenCanvas(columns, bands);
  small.getContext("2d").putImageData(image, 0, 0);
  context.drawImage(small, 0, 0, canvas.width, canvas.height);
}

function drawFace(canvas, rgb, side) {
  canvas.width = canvas.height = side; // clears it
  if (!rgb) return;
  const image = new ImageData(side, side);
  for (let pixel = 0; pixel < side * side; pixel++)
    image.data.set([...rgb.subarray(3 * pixel, 3 * pixel + 3), 255], 4 * pixel);
  canvas.getContext("2d").putImageData(image, 0, 0);
}

async function photograph(video) {
  const canvas = document.createElement("canvas");
  canvas.width = 320;
  canvas.height = Math.round((320 * video.videoHeight) / video.videoWidth);
  canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
  const jpeg = await new Promise((take) => canvas.toBlob(take, "image/jpeg", 0.9));
  return jpeg && (await jpeg.arrayBuffer());
}

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

function render({ model, el }) {
  const settings = model.get("settings"), line = new Line(model);
  const root = document.createElement("div");
  root.className = "avlib-live";
  root.dataset.lmSuppressShortcuts = "true"; // JupyterLab would take Enter and others for itself
  root.innerHTML = PAGE;
  el.append(root);
  const part = Object.fromEntries([...root.querySelectorAll("[data-of]")].map((one) => [one.dataset.of, one]));
  part.briefly.textContent = `stop after ${settings.seconds} s`;
  part.clip.hidden = !settings.clips;
  part.file.accept = settings.suffixes;
  const bars = settings.emotions.map((emotion, index) => {
    const [name, bar, fill, number] = ["span", "div", "i", "span"].map((tag) => document.createElement(tag));
    name.textContent = emotion;
    bar.setAttribute("role", "meter");
    for (const [key, value] of [["label", emotion], ["valuemin", 0], ["valuemax", 1]]) bar.setAttribute(`aria-${key}`, value);
    fill.style.background = settings.colours[index];
    number.className = "number";
    bar.append(fill);
    part.bars.append(name, bar, number);
    return { name, bar, fill, number };
  });
  let run = null; // what records or plays now; an older one's late answers are not shown
  let told = 0, telling = 0, lastLevel = 0, intervals = [], delays = [], drawn = 0;

  const problem = (sentence) => { part.problem.textContent = sentence; };
  const state = (word) => {
    root.dataset.state = word; // off, asking, on
    part.stop.disabled = word === "off";
    for (const each of ["start", "clip", "file", "withCamera", "brief"]) part[each].disabled = word !== "off";
    if (word === "off") { part.level.value = SILENT_DB; part.decibel.textContent = "off"; }
  };
  const tell = (sentence) => {
    part.said.textContent = sentence;
    clearTimeout(telling);
    telling = setTimeout(() => { part.polite.textContent = sentence; told = Date.now(); }, Math.max(0, told + POLITE_MS - Date.now()));
  };

  function show(answer, [mel, rgb]) {
    const shares = answer.probabilities && settings.emotions.map((name) => answer.probabilities[name]);
    const highest = shares && Math.max(...shares);
    bars.forEach(({ name, bar, fill, number }, index) => {
      const share = shares ? shares[index] : 0;
      fill.style.width = `${100 * share}%`;
      fill.classList.toggle("none", !shares);
      number.textContent = shares ? share.toFixed(2) : "–";
      for (const each of [name, number]) each.classList.toggle("likeliest", share === highest);
      bar.setAttribute("aria-valuenow", share.toFixed(4));
      bar.setAttribute("aria-valuetext", shares ? share.toFixed(2) : "none");
    });
    tell(answer.said);
    drawMel(part.mel, mel, settings.bands, answer.columns);
    const gets = answer.columns
      ? `${settings.bands} mel bands, 50 Hz (bottom) to 8 kHz (top); ${answer.heard.toFixed(1)} s without the silence around them.`
      : "nothing yet.";
    part.melSaid.textContent = `What the recogniser gets: ${gets}`;
    part.mel.setAttribute("aria-label", `spectrogram: ${gets}`);
    part.seen.hidden = !answer.face && !part.video.srcObject;
    part.faceSaid.textContent = answer.face ?? "";
    part.face.setAttribute("aria-label", `face: ${answer.face ?? "none"}`);
    drawFace(part.face, rgb, settings.face);
    const several = answer.segments.length > 1 ? answer.segments : [];
    part.segments.replaceChildren(...several.map(({ start, end, probabilities }) => {
      const item = document.createElement("li");
      const [name, share] = Object.entries(probabilities).reduce((a, b) => (b[1] > a[1] ? b : a));
      item.textContent = `${start.toFixed(1)} to ${end.toFixed(1)} s: ${name} ${share.toFixed(2)}`;
      return item;
    }));
  }

  function measure(end) {
    requestAnimationFrame(() => {
      const now = performance.now();
      delays = [...delays, now - end].slice(-MEASURED);
      if (drawn) intervals = [...intervals, now - drawn].slice(-MEASURED);
      drawn = now;
      if (!intervals.length) return;
      root.dataset.updates = (1000 / median(intervals)).toFixed(2);
      root.dataset.delay = median(delays).toFixed(0);
      part.measured.textContent = `${(+root.dataset.updates).toFixed(1)} updates a second; ${root.dataset.delay} ms from the end of the sound to its bars (medians of the last ${MEASURED})`;
    });
  }

  function release(own) { // the hardware; what is still to be sent is sent
    own.over = true;
    own.stream?.getTracks().forEach((track) => track.stop());
    own.source?.disconnect();
    own.node?.disconnect();
    if (own.context && own.context.state !== "closed") own.context.close();
    clearTimeout(own.waking);
    part.video.srcObject = null;
    if (own === run) state("off");
  }

  function onBlock(own, samples, end) {
    if (own.over) return;
    clearTimeout(own.waking);
    const room = own.brief ? Math.round(settings.seconds * own.context.sampleRate) - own.taken : Infinity;
    own.blocks.push(samples.subarray(0, room));
    own.taken += Math.min(room, samples.length);
    own.end = end;
    if (end - lastLevel > 100) {
      lastLevel = end;
      const power = samples.reduce((sum, one) => sum + one * one, 0) / samples.length;
      part.level.value = Math.max(SILENT_DB, 10 * Math.log10(power + 1e-12));
      part.decibel.textContent = `${part.level.value.toFixed(0)} dB`;
    }
    if (samples.length >= room) release(own);
    pump(own);
  }

  // Not before the answer to the last: a slow kernel gets fewer windows, never a queue of them.
  async function pump(own) {
    if (own.busy || (!own.over && performance.now() - own.sent < GAP_MS)) return;
    if (!own.blocks.length) return own.over && reveal(own);
    own.busy = true;
    try {
      const jpeg = own.stream && part.video.videoWidth ? await photograph(part.video) : null;
      const { end } = own, begin = !own.sent;
      const samples = new Float32Array(await new Blob(own.blocks.splice(0)).arrayBuffer());
      own.sent = performance.now();
      const message = { kind: "sound", rate: own.context.sampleRate, begin };
      const [answer, buffers] = await line.ask(message, jpeg ? [samples.buffer, jpeg] : [samples.buffer]);
      if (own !== run) return;
      show(answer, buffers);
      measure(end);
    } catch (error) {
      own.blocks = [];
      release(own);
      problem(error.message);
    } finally {
      own.busy = false;
    }
    if (own.over) pump(own);
  }

  function reveal(own) { // all that was heard is answered
    root.dataset.answered = "true";
    if (own.about) tell(`${part.said.textContent}. It was: ${own.about}.`);
    own.about = null;
  }

  async function listen(own, source, context) {
    Object.assign(own, { source, context });
    own.node = await capture(context, (samples, end) => onBlock(own, samples, end));
    if (own.over) return release(own); // stopped meanwhile
    source.connect(own.node);
    own.node.connect(context.destination); // else it is not run; what comes out is silence
    own.waking = setTimeout(() => { release(own); problem(`No sound comes from the microphone; choose another in the browser.${OR_FILE}`); }, PATIENCE_MS);
    await context.resume();
    state("on");
  }

  function begin(brief) {
    problem("");
    root.dataset.answered = "false";
    [intervals, delays, drawn] = [[], [], 0];
    run = { blocks: [], taken: 0, sent: 0, brief };
    state("asking");
    return run;
  }

  async function record() {
    const camera = part.withCamera.checked, own = begin(part.brief.checked);
    try {
      if (!navigator.mediaDevices?.getUserMedia) {
        throw new Error(`Here the browser gives no microphone: it does so on https pages and localhost alone, and VS Code nowhere. Open the notebook in a browser.${OR_FILE}`);
      }
      const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
      try {
        own.stream = await navigator.mediaDevices.getUserMedia({ audio, video: camera && { width: 640, height: 480 } });
      } catch (error) {
        throw new Error(whyNot(error, camera ? "microphone or camera" : "microphone"));
      }
      if (own.over) return release(own); // stopped while the browser asked
      for (const track of own.stream.getTracks()) track.onended = () => { release(own); problem(`The ${track.kind === "audio" ? "microphone" : "camera"} is gone; plug it in and press again.`); };
      part.seen.hidden = !camera;
      if (camera) { part.video.srcObject = own.stream; part.video.play().catch(() => {}); }
      const context = new AudioContext();
      await listen(own, context.createMediaStreamSource(own.stream), context);
    } catch (error) {
      release(own);
      problem(error.message);
    }
  }

  async function play() {
    const own = begin(false);
    try {
      const [{ rate, said }, [bytes]] = await line.ask({ kind: "clip" });
      if (own.over) return;
      own.about = said;
      const samples = new Int16Array(bytes.slice().buffer), context = new AudioContext();
      const clip = context.createBuffer(1, samples.length, rate);
      clip.copyToChannel(Float32Array.from(samples, (one) => one / 32768), 0);
      const source = context.createBufferSource();
      source.buffer = clip;
      source.connect(context.destination);
      source.onended = () => { release(own); pump(own); };
      await listen(own, source, context);
      if (!own.over) source.start();
    } catch (error) {
      release(own);
      problem(error.message);
    }
  }

  async function load() {
    const [file] = part.file.files;
    part.file.value = ""; // so that the same file can be chosen again
    if (!file) return;
    const own = begin(false);
    try {
      if (file.size > settings.largest) {
        throw new Error(`${file.name}: has ${(file.size / 1e6).toFixed(1)} MB, and at most ${settings.largest / 1e6} MB are taken; cut it, or save it as mp3 or flac.`);
      }
      tell(`Listening to ${file.name} …`);
      const [answer, buffers] = await line.ask({ kind: "file", name: file.name }, [await file.arrayBuffer()], FILE_PATIENCE_MS);
      if (own === run) show(answer, buffers);
      reveal(own);
    } catch (error) {
      problem(error.message);
    }
    release(own);
  }

  part.start.onclick = record;
  part.clip.onclick = play;
  part.file.onchange = load;
  part.stop.onclick = () => { release(run); part.start.focus(); };
  part.keep.onclick = async () => {
    problem("");
    try { tell((await line.ask({ kind: "keep" }))[0].said); } catch (error) { problem(error.message); }
  };
  show({ probabilities: null, said: part.said.textContent, segments: [], columns: 0 }, []);
  state("off");
  return () => { if (run) release(run); clearTimeout(telling); line.end(); }; // the output was cleared
}

export default { render };
