// Of live.js: microphone, camera, and the line to the kernel.

const PATIENCE_MS = 10_000; // for an answer while recording
const OR_FILE = " Or load a file here.";
const DEAD =
  "The kernel does not answer; run the cell again (or wait, if another cell is at work). Microphone and camera are off.";
const RESTARTED = ["comm:close", "comm_live_update"]; // what a model hears when its kernel is gone

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

async function photograph(video) {
  const canvas = document.createElement("canvas");
  canvas.width = 320;
  canvas.height = Math.round((320 * video.videoHeight) / video.videoWidth);
  canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
  const jpeg = await new Promise((take) => canvas.toBlob(take, "image/jpeg", 0.9));
  return jpeg && (await jpeg.arrayBuffer());
}

function whyNot(error, wanted) {
  const sentences = {
    NotAllowedError: `The browser refused the ${wanted}. Allow it for this page (the sign beside the address), and press again.`,
    NotFoundError: `No ${wanted} was found. Plug one in${wanted === "microphone" ? "" : " or untick the camera"}, and press again.`,
    NotReadableError: `The ${wanted} cannot be opened; close other programs that use it, and press again.`,
  };
  return (sentences[error.name] ?? `The ${wanted} cannot be used (${error.name}: ${error.message}).`) + OR_FILE;
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
    for (const event of RESTARTED) model.on(event, this.lose);
  }

  ask(message, buffers = [], patience = PATIENCE_MS) {
    const id = `${this.me}-${this.number++}`;
    return new Promise((take, fail) => {
      const timer = setTimeout(() => fail(new Error(DEAD)), patience);
      this.open.set(id, { take, fail, timer });
      try {
        this.model.send({ ...message, id }, undefined, buffers);
      } catch { // the kernel was restarted, and its end of the line is gone
        fail(new Error(DEAD));
      }
    }).finally(() => {
      clearTimeout(this.open.get(id).timer);
      this.open.delete(id);
    });
  }

  end() {
    this.model.off("msg:custom", this.hear);
    for (const event of RESTARTED) this.model.off(event, this.lose);
  }
}
