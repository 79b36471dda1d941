// The page's side of avlib.course.live: it records, sends, and shows what the kernel answers.
// live_devices.js and live_board.js stand before it in one module: a widget is one.

const GAP_MS = 250; // at most four updates a second
const FILE_PATIENCE_MS = 180_000; // a file may be long

// Records, plays or loads: one at a time. An older one's late answers are not shown.
class Recorder {
  constructor(board, line) {
    Object.assign(this, { board, line, settings: board.settings, run: null });
    const { part } = board;
    part.start.onclick = () => this.attempt((own) => this.record(own, part.withCamera.checked), part.brief.checked);
    part.clip.onclick = () => this.attempt((own) => this.play(own));
    part.file.onchange = () => part.file.files.length && this.attempt((own) => this.load(own, part.file.files[0]));
    part.stop.onclick = () => this.release(this.run);
    part.keep.onclick = () => this.keep();
  }

  async attempt(way, brief = false) {
    const own = { blocks: [], taken: 0, sent: 0, brief };
    this.run = own;
    this.board.problem("");
    this.board.measureAnew();
    this.board.root.dataset.answered = "false";
    this.board.state("asking");
    try {
      await way(own);
    } catch (error) {
      this.fail(own, error);
    }
  }

  fail(own, error) {
    own.blocks = [];
    this.release(own);
    if (own === this.run) this.board.problem(error.message);
  }

  // Lets go of the hardware. What was recorded is still sent.
  release(own) {
    own.over = true;
    clearTimeout(own.waking);
    own.stream?.getTracks().forEach((track) => track.stop());
    own.source?.disconnect();
    own.node?.disconnect();
    if (own.context && own.context.state !== "closed") own.context.close();
    if (own !== this.run) return;
    this.board.part.video.srcObject = null;
    this.board.state("off");
  }

  async record(own, camera) {
    const wanted = camera ? "microphone or camera" : "microphone", { part } = this.board;
    if (!navigator.mediaDevices?.getUserMedia) {
      throw new Error(`Here the browser gives no microphone: it does so on https pages and localhost alone, and VS Code nowhere. Open the notebook in a browser.${OR_FILE}`);
    }
    const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    const video = camera && { width: 640, height: 480 };
    own.stream = await navigator.mediaDevices.getUserMedia({ audio, video }).catch((error) => {
      throw new Error(whyNot(error, wanted));
    });
    if (own.over) return this.release(own); // stopped while the browser asked
    for (const track of own.stream.getTracks())
      track.onended = () => this.fail(own, new Error(`The ${track.kind === "audio" ? "microphone" : "camera"} is gone; plug it in and press again.`));
    part.seen.hidden = !camera;
    if (camera) {
      part.video.srcObject = own.stream;
      part.video.play().catch(() => {}); // stopped before it began
    }
    const context = new AudioContext();
    await this.listen(own, context, context.createMediaStreamSource(own.stream));
  }

  async play(own) {
    const [{ rate, said }, [bytes]] = await this.line.ask({ kind: "clip" });
    if (own.over) return;
    own.about = said;
    const samples = new Int16Array(bytes.slice().buffer), context = new AudioContext();
    const clip = context.createBuffer(1, samples.length, rate);
    clip.copyToChannel(Float32Array.from(samples, (one) => one / 32768), 0);
    const source = new AudioBufferSourceNode(context, { buffer: clip });
    source.connect(context.destination);
    source.onended = () => { this.release(own); this.pump(own); };
    await this.listen(own, context, source);
    if (!own.over) source.start();
  }

  async load(own, file) {
    const { part, settings } = { part: this.board.part, settings: this.settings };
    part.file.value = ""; // so that the same file can be chosen again
    if (file.size > settings.largest) {
      throw new Error(`${file.name}: has ${(file.size / 1e6).toFixed(1)} MB, and at most ${settings.largest / 1e6} MB are taken; cut it, or save it as mp3 or flac.`);
    }
    this.board.tell(`Listening to ${file.name} …`);
    const bytes = await file.arrayBuffer();
    const [answer, buffers] = await this.line.ask({ kind: "file", name: file.name }, [bytes], FILE_PATIENCE_MS);
    if (own === this.run && !own.over) this.board.show(answer, buffers);
    this.release(own);
    this.reveal(own);
  }

  async keep() {
    this.board.problem("");
    try {
      const [{ said }] = await this.line.ask({ kind: "keep" });
      this.board.tell(said);
    } catch (error) {
      this.board.problem(error.message);
    }
  }

  async listen(own, context, source) {
    Object.assign(own, { context, source });
    own.node = await capture(context, (samples, end) => this.hear(own, samples, end));
    if (own.over) return this.release(own); // stopped meanwhile
    source.connect(own.node);
    own.node.connect(context.destination); // else it is not run; what comes out is silence
    const silent = new Error(`No sound comes; choose another microphone in the browser.${OR_FILE}`);
    own.waking = setTimeout(() => this.fail(own, silent), PATIENCE_MS);
    await context.resume();
    if (!own.over) this.board.state("on");
  }

  hear(own, samples, end) {
    if (own.over) return;
    clearTimeout(own.waking);
    const room = own.brief ? Math.round(this.settings.seconds * own.context.sampleRate) - own.taken : Infinity;
    own.blocks.push(samples.subarray(0, room));
    own.taken += Math.min(room, samples.length);
    own.end = end;
    this.board.level(samples);
    if (samples.length >= room) this.release(own);
    this.pump(own);
  }

  // Not before the answer to the last: a slow kernel gets fewer windows, never a queue of them.
  async pump(own) {
    if (own.busy || (!own.over && performance.now() - own.sent < GAP_MS)) return;
    if (!own.blocks.length) return own.over && this.reveal(own);
    own.busy = true;
    try {
      const { video } = this.board.part;
      const jpeg = own.stream && video.videoWidth ? await photograph(video) : null;
      const { end } = own, begin = !own.sent;
      const samples = await new Blob(own.blocks.splice(0)).arrayBuffer();
      own.sent = performance.now();
      const message = { kind: "sound", rate: own.context.sampleRate, begin };
      const [answer, buffers] = await this.line.ask(message, jpeg ? [samples, jpeg] : [samples]);
      if (own === this.run) {
        this.board.show(answer, buffers);
        this.board.measure(end);
      }
    } catch (error) {
      this.fail(own, error);
    }
    own.busy = false;
    if (own.over) this.pump(own);
  }

  reveal(own) { // all that was heard is answered
    if (own !== this.run) return;
    if (own.about) this.board.tell(`${this.board.part.said.textContent}. It was: ${own.about}.`);
    own.about = null;
    this.board.root.dataset.answered = "true";
  }
}

function render({ model, el }) {
  const line = new Line(model), board = new Board(el, model.get("settings"));
  const recorder = new Recorder(board, line);
  return () => { // the output was cleared
    if (recorder.run) recorder.release(recorder.run);
    clearTimeout(board.telling);
    line.end();
  };
}

export default { render };
