// Of live.js: what the widget looks like, and how it shows what the kernel answered.

const POLITE_MS = 2_000; // a screen reader is interrupted no more often
const SILENT_DB = -60;
const MEASURED = 20; // updates that the medians are taken over

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
<div data-of="several" hidden>Stretches of voice in the file, and what is likeliest in each:
  <ol data-of="segments"></ol></div>
<p><small data-of="measured">No updates yet.</small></p>
<p class="unseen" aria-live="polite" data-of="polite"></p>`;

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

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

class Board {
  constructor(el, settings) {
    this.settings = settings;
    this.root = document.createElement("div");
    this.root.className = "avlib-live";
    this.root.dataset.lmSuppressShortcuts = "true"; // JupyterLab would take Enter and others for itself
    this.root.innerHTML = PAGE;
    el.append(this.root);
    this.part = Object.fromEntries([...this.root.querySelectorAll("[data-of]")].map((one) => [one.dataset.of, one]));
    this.part.briefly.textContent = `stop after ${settings.seconds} s`;
    this.part.clip.hidden = !settings.clips;
    this.part.file.accept = settings.suffixes;
    this.bars = settings.emotions.map((emotion, index) => this.addBar(emotion, settings.colours[index]));
    this.told = this.telling = this.levelled = 0;
    this.show({ probabilities: null, said: this.part.said.textContent, segments: [], columns: 0 }, []);
    this.state("off");
  }

  addBar(emotion, colour) {
    const [name, bar, fill, number] = ["span", "div", "i", "span"].map((tag) => document.createElement(tag));
    name.textContent = emotion;
    bar.setAttribute("role", "meter");
    for (const [key, value] of [["label", emotion], ["valuemin", 0], ["valuemax", 1]]) bar.setAttribute(`aria-${key}`, value);
    fill.style.background = colour;
    number.className = "number";
    bar.append(fill);
    this.part.bars.append(name, bar, number);
    return { name, bar, fill, number };
  }

  problem(sentence) {
    this.part.problem.textContent = sentence;
  }

  tell(sentence) {
    this.part.said.textContent = sentence;
    clearTimeout(this.telling);
    this.telling = setTimeout(() => {
      this.part.polite.textContent = sentence;
      this.told = Date.now();
    }, Math.max(0, this.told + POLITE_MS - Date.now()));
  }

  state(word) { // off, asking, on
    const { part } = this, held = document.activeElement;
    this.root.dataset.state = word;
    part.stop.disabled = word === "off";
    for (const each of ["start", "clip", "file", "withCamera", "brief"]) part[each].disabled = word !== "off";
    // Else the keyboard would lose its place.
    if (this.root.contains(held) && held.disabled) (word === "off" ? part.start : part.stop).focus({ preventScroll: true });
    if (word === "off") [part.level.value, part.decibel.textContent] = [SILENT_DB, "off"];
  }

  level(samples) {
    if (performance.now() - this.levelled < 100) return;
    this.levelled = performance.now();
    const power = samples.reduce((sum, one) => sum + one * one, 0) / samples.length;
    this.part.level.value = Math.max(SILENT_DB, 10 * Math.log10(power + 1e-12));
    this.part.decibel.textContent = `${this.part.level.value.toFixed(0)} dB`;
  }

  show(answer, [mel, rgb]) {
    const { part, settings } = this;
    this.showBars(answer.probabilities && settings.emotions.map((name) => answer.probabilities[name]));
    this.tell(answer.said);
    drawMel(part.mel, mel, settings.bands, answer.columns);
    const gets = answer.columns
      ? `${settings.bands} mel bands, 50 Hz (bottom) to 8 kHz (top); ${answer.heard.toFixed(1)} s without the silence before and after.`
      : "nothing yet.";
    part.melSaid.textContent = `What the recogniser gets: ${gets}`;
    part.mel.setAttribute("aria-label", `spectrogram: ${gets}`);
    part.seen.hidden = !answer.face && !part.video.srcObject;
    part.faceSaid.textContent = answer.face ?? "";
    part.face.setAttribute("aria-label", `face: ${answer.face ?? "none"}`);
    drawFace(part.face, rgb, settings.face);
    const several = answer.segments.length > 1 ? answer.segments : [];
    part.several.hidden = !several.length;
    part.segments.replaceChildren(...several.map(({ start, end, probabilities }) => {
      const item = document.createElement("li");
      const [name, share] = Object.entries(probabilities).reduce((a, b) => (b[1] > a[1] ? b : a));
      item.textContent = `${start.toFixed(1)} to ${end.toFixed(1)} s: ${name} ${share.toFixed(2)}`;
      return item;
    }));
  }

  showBars(shares) {
    const highest = shares && Math.max(...shares);
    this.bars.forEach(({ name, bar, fill, number }, index) => {
      const share = shares ? shares[index] : 0;
      fill.style.width = `${100 * share}%`;
      fill.classList.toggle("none", !shares);
      number.textContent = shares ? share.toFixed(2) : "–";
      for (const each of [name, number]) each.classList.toggle("likeliest", share === highest);
      bar.setAttribute("aria-valuenow", share.toFixed(4));
      bar.setAttribute("aria-valuetext", shares ? share.toFixed(2) : "none");
    });
  }

  measureAnew() {
    [this.intervals, this.delays, this.drawn] = [[], [], 0];
  }

  measure(end) { // when the window's last sample was heard, as performance.now() counts
    requestAnimationFrame(() => {
      const now = performance.now(), { dataset } = this.root;
      this.delays = [...this.delays, now - end].slice(-MEASURED);
      if (this.drawn) this.intervals = [...this.intervals, now - this.drawn].slice(-MEASURED);
      this.drawn = now;
      if (!this.intervals.length) return;
      dataset.updates = (1000 / median(this.intervals)).toFixed(2);
      dataset.delay = median(this.delays).toFixed(0);
      this.part.measured.textContent =
        `${(+dataset.updates).toFixed(1)} updates a second; ${dataset.delay} ms from the end of the sound to its bars (medians of the last ${MEASURED})`;
    });
  }
}
