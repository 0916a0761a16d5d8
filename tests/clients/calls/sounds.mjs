// What a page is given instead of a microphone, and what it hears with. Runs in the page, before
// its scripts do.

/** The microphone sings `tone`, in hertz; `window.ear` listens to whatever any call plays. */
export function sing(tone) {
  const SILENCE = -120;
  const context = new AudioContext();
  const analyser = new AnalyserNode(context, { fftSize: 4096, smoothingTimeConstant: 0 });
  const spectrum = new Float32Array(analyser.frequencyBinCount);
  const wave = new Float32Array(analyser.fftSize);
  const connections = [];

  navigator.mediaDevices.getUserMedia = async () => {
    const microphone = new MediaStreamAudioDestinationNode(context, { channelCount: 1 });
    const voice = new OscillatorNode(context, { frequency: tone });
    voice.connect(new GainNode(context, { gain: 0.25 })).connect(microphone);
    voice.start();
    return microphone.stream;
  };

  window.RTCPeerConnection = new Proxy(RTCPeerConnection, {
    construct(target, given) {
      const connection = new target(...given);
      connections.push(connection);
      connection.addEventListener('track', ({ track }) => {
        const stream = new MediaStream([track]);
        // a browser decodes for who plays
        Object.assign(new Audio(), { srcObject: stream, muted: true }).play();
        context.createMediaStreamSource(stream).connect(analyser);
      });
      return connection;
    },
  });

  const nearby = (frequency) => {
    const bin = Math.round((frequency * analyser.fftSize) / context.sampleRate);
    return Math.max(SILENCE, ...spectrum.subarray(bin - 1, bin + 2));
  };
  const pause = () => new Promise((resolve) => { setTimeout(resolve, 20); });

  window.ear = {
    /** The newest connection, for what a package has no method for. */
    connection: () => connections.at(-1),
    /** Decibels of full scale, by frequency in hertz. */
    levels(frequencies) {
      analyser.getFloatFrequencyData(spectrum);
      return Object.fromEntries(frequencies.map((each) => [each, Math.round(nearby(each))]));
    },
    /** Decibels of full scale, of all that is heard. */
    loudness() {
      analyser.getFloatTimeDomainData(wave);
      const power = wave.reduce((sum, sample) => sum + sample * sample, 0) / wave.length;
      return Math.round(Math.max(SILENCE, 10 * Math.log10(power || 1e-12)));
    },
    /** True once `fits` has been so for `milliseconds` on end; else, in time, what is heard. */
    async hears(fits, look, milliseconds, patience) {
      const end = performance.now() + patience;
      let since = Infinity;
      let heard;
      while (performance.now() < end) {
        heard = look();
        since = fits(heard) ? Math.min(since, performance.now()) : Infinity;
        if (performance.now() - since >= milliseconds) return true;
        await pause();
      }
      return heard;
    },
  };
}
