// What a caller hears while it rings at the far end.
import { Loudness, audioContext } from './microphone.js';

const HERTZ = 425;
const SECONDS = 1;
const PERIOD_MS = 4000;
const VOLUME = 0.08;
/** Decibels: the far end, or its network, is heard by itself. */
const AUDIBLE = -50;

/** Its element sounds between `start` and `stop`. */
export class RingBack {
  #timer = 0;
  #tone = null;
  #loudness = null;

  constructor() {
    this.sound = document.createElement('audio');
    this.sound.autoplay = true;
    this.sound.className = 'ring-back';
  }

  /** `stream` is what the call brings: when that is to be heard, this is not. */
  start(stream) {
    if (this.#tone) return;
    const machine = audioContext();
    const volume = machine.createGain();
    const end = machine.createMediaStreamDestination();
    this.#tone = machine.createOscillator();
    volume.gain.value = 0;
    this.#tone.frequency.value = HERTZ;
    this.#tone.connect(volume).connect(end);
    this.#tone.start();
    const sound = () => {
      volume.gain.setTargetAtTime(VOLUME, machine.currentTime, 0.02);
      volume.gain.setTargetAtTime(0, machine.currentTime + SECONDS, 0.02);
    };
    sound();
    this.#timer = setInterval(sound, PERIOD_MS);
    this.sound.srcObject = end.stream;
    if (stream) {
      this.#loudness = new Loudness(stream, (level) => { if (level > AUDIBLE) this.#hush(); });
    }
  }

  stop() {
    this.#hush();
    this.#loudness?.end();
    this.#loudness = null;
    this.#tone = null;
  }

  #hush() {
    clearInterval(this.#timer);
    this.#tone?.stop();
    this.sound.srcObject = null;
  }
}
