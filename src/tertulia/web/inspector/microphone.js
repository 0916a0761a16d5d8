// The microphone: asked for when it is needed, with words for when it cannot be had.

const QUIET = -60;
const REASONS = {
  NotAllowedError: 'The browser did not let this page use the microphone. Allow it in the settings '
    + 'of this page, beside the address, and try again.',
  NotFoundError: 'No microphone was found. Connect one and try again.',
  NotReadableError: 'The microphone cannot be read: another program may be using it.',
};

let context = null;

/** The sound machine of the page; browsers let it start only after a click or a key. */
export function audioContext() {
  context ??= new AudioContext();
  if (context.state === 'suspended') context.resume();
  return context;
}

/** A stream of the microphone; throws an Error for people. */
export async function openMicrophone() {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new Error('Browsers give the microphone only to pages that came by https, or from this '
      + 'machine. Open this page by https.');
  }
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: true });
  } catch (error) {
    throw new Error(REASONS[error.name] ?? `The microphone cannot be used: ${error.message}`);
  }
}

/** In the place of a microphone: for who only listens. */
export function silence() {
  return audioContext().createMediaStreamDestination().stream;
}

/** How loud a stream is, in decibels of full scale, told some ten times a second until `end`. */
export class Loudness {
  #source;
  #timer;

  constructor(stream, onLevel) {
    const analyser = audioContext().createAnalyser();
    analyser.fftSize = 2048;
    this.#source = audioContext().createMediaStreamSource(stream);
    this.#source.connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    this.#timer = setInterval(() => {
      analyser.getFloatTimeDomainData(samples);
      const power = samples.reduce((sum, each) => sum + each * each, 0) / samples.length;
      onLevel(Math.max(-100, 10 * Math.log10(power + 1e-12)));
    }, 100);
  }

  end() {
    clearInterval(this.#timer);
    this.#source.disconnect();
  }
}

/** How much of a meter a level fills: 0 to 1. */
export function share(level) {
  return Math.max(0, Math.min(1, 1 - level / QUIET));
}

/** Two soft tones every few seconds, until the returned function is called. */
export function ring() {
  const machine = audioContext();
  const volume = machine.createGain();
  const tone = machine.createOscillator();
  volume.gain.value = 0;
  tone.frequency.value = 523;
  tone.connect(volume).connect(machine.destination);
  tone.start();
  const sound = () => {
    for (const at of [0, 0.35]) {
      const start = machine.currentTime + at;
      volume.gain.setTargetAtTime(0.06, start, 0.02);
      volume.gain.setTargetAtTime(0, start + 0.2, 0.03);
    }
  };
  sound();
  const timer = setInterval(sound, 3000);
  return () => {
    clearInterval(timer);
    tone.stop();
  };
}
